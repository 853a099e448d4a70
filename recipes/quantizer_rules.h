// SPDX-License-Identifier: Apache-2.0
// Which formats, schemes and grids go with an estimator: what a recipe leaves out, and what it must not say. The
// worker's quantizers refuse the same (quant/spec/definition.cc); here the answer has a place in the recipe.
#pragma once

#include <string_view>
#include <vector>

#include "recipes/checks.h"
#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline::recipe_internal {

// Where tensors have formats and nothing says how they are quantized: ridge_trust, unless a format has no definition of
// it. Returns whether it was set.
bool FillDefaultEstimator(v1::Quant* quant);

// Estimators to choose from for a format, for a remedy.
std::string_view EstimatorsFor(std::string_view format);

// Sets what is not set and has only one sensible value with the estimator and the formats that are.
void FillQuantizerDefaults(v1::Quant* quant);

// Each combination without a definition, with its remedy.
void CheckQuantizers(const v1::Quant& quant, std::vector<Issue>* issues);

}  // namespace ridgeline::recipe_internal
