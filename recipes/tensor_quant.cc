// SPDX-License-Identifier: Apache-2.0
#include "recipes/tensor_quant.h"

namespace ridgeline {

const std::string& EstimatorOf(const v1::Quant& quant, const v1::TensorQuant& tensor) {
  return tensor.has_estimator() ? tensor.estimator() : quant.estimator();
}

const std::string& GridOf(const v1::Quant& quant, const v1::TensorQuant& tensor) {
  return tensor.has_grid() ? tensor.grid() : quant.grid();
}

const std::string& GridGradientOf(const v1::Quant& quant, const v1::TensorQuant& tensor) {
  return tensor.has_grid_gradient() ? tensor.grid_gradient() : quant.grid_gradient();
}

double TrustOf(const v1::Quant& quant, const v1::TensorQuant& tensor) {
  return tensor.has_trust() ? tensor.trust() : quant.trust();
}

bool IsQuantized(const v1::Quant& quant, const v1::TensorQuant& tensor) {
  return EstimatorOf(quant, tensor) != "none" && tensor.format() != "none";
}

std::string EstimatorLabel(const v1::Quant& quant) {
  const bool has_weight = IsQuantized(quant, quant.weight()), has_activation = IsQuantized(quant, quant.activation());
  if (!has_weight && !has_activation) return quant.estimator();
  const std::string& weight = EstimatorOf(quant, has_weight ? quant.weight() : quant.activation());
  const std::string& activation = EstimatorOf(quant, has_activation ? quant.activation() : quant.weight());
  return weight == activation ? weight : weight + "+" + activation;
}

}  // namespace ridgeline
