// SPDX-License-Identifier: Apache-2.0
// The shape that a recipe's model section stands for: the named one, with the sizes that the recipe overrides.
// Pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "model/blueprint/model_config.h"
#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline {

// A GPT takes model.n_layers, dim and n_heads; "gpt" has no sizes but those, and 0 for what the recipe leaves out.
// Other shapes are fixed. A shape without a vocabulary of its own has 0 there, and no positions of its own either.
// INVALID_ARGUMENT if model.name is no shape's.
absl::StatusOr<ModelConfig> ShapeOf(const v1::Model& model);

// Lengths of the rows that blocks and sparse groups cut, as the recipe says them. Empty if only the weights of
// model.path know, or the recipe does not say enough.
std::vector<int64_t> RowLengths(const v1::Model& model);

}  // namespace ridgeline
