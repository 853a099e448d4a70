// SPDX-License-Identifier: Apache-2.0
// Validation into findings, which know where keys stand.
#pragma once

#include "recipes/findings.h"
#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline::recipe_internal {

void Validate(const v1::Recipe& recipe, Findings* findings);

}  // namespace ridgeline::recipe_internal
