// SPDX-License-Identifier: Apache-2.0
// What a recipe says about one of the tensors that it quantizes: its own keys, or those that both share. Pure
// functions.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "method/estimator_traits.h"
#include "method/quantizer_spec.h"
#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline {

const v1::TensorQuant& TensorOf(const v1::Quant& quant, Side side);

// `tensor` is quant.weight() or quant.activation(). REQUIRES: the recipe's defaults are filled in.
const std::string& EstimatorOfTensor(const v1::Quant& quant, const v1::TensorQuant& tensor);
const std::string& GridOfTensor(const v1::Quant& quant, const v1::TensorQuant& tensor);
const std::string& GridGradientOfTensor(const v1::Quant& quant, const v1::TensorQuant& tensor);
double TrustOfTensor(const v1::Quant& quant, const v1::TensorQuant& tensor);

bool IsQuantized(const v1::Quant& quant, const v1::TensorQuant& tensor);

// All of that in the terms of quantizers, dense; weights with the scales that files have. It may have no definition
// (method/problems.h). INVALID_ARGUMENT for a word that the schema does not allow.
absl::StatusOr<QuantizerSpec> SpecOfTensor(const v1::Quant& quant, Side side);

// What people call the recipe's estimator: "quest", or "gaussws+quest" where weights and activations have their own.
std::string EstimatorLabel(const v1::Quant& quant);

}  // namespace ridgeline
