// SPDX-License-Identifier: Apache-2.0
// What a recipe leaves out of its quantizers, and what it must not say of them: the table and the checks of method/,
// with places in the recipe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "method/problems.h"
#include "recipes/checks.h"
#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline::recipe_internal {

// Where tensors have formats and nothing says how they are quantized: ridge_trust, unless a format has no definition of
// it. Returns whether it was set.
bool FillDefaultEstimator(v1::Quant* quant);

// Estimators to choose from for a format, for a remedy.
std::string EstimatorsFor(std::string_view format);

// Sets what is not set and has only one sensible value with the estimator and the formats that are.
void FillQuantizerDefaults(v1::Quant* quant);

// Each combination without a definition, with its remedy.
void CheckQuantizers(const v1::Quant& quant, std::vector<Issue>* issues);

// A problem of a tensor's spec, at the recipe's keys.
Issue IssueOf(const SpecProblem& problem, const v1::Quant& quant, Side side);

}  // namespace ridgeline::recipe_internal
