// SPDX-License-Identifier: Apache-2.0
// What a recipe says about the model, in the model's own terms; and back, for the frontier.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "model/gpt.h"
#include "ridgeline/v1/frontier.pb.h"
#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline {

// REQUIRES: the recipe's defaults are filled in. INVALID_ARGUMENT names the key that does not fit.
absl::StatusOr<GptConfig> GptConfigFromRecipe(const v1::Recipe& recipe, int64_t vocab_size);

// "gpt-nano", or with its sizes where the recipe overrides them: "gpt-nano(n_layers=2)".
std::string ModelLabel(const v1::Recipe& recipe);

// A point with everything that the recipe and the model's cost decide; measurements are the caller's to add.
v1::FrontierPoint PointFromRecipe(const v1::Recipe& recipe, const ModelCost& cost);

}  // namespace ridgeline
