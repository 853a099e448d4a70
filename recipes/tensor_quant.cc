// SPDX-License-Identifier: Apache-2.0
#include "recipes/tensor_quant.h"

#include "common/status_macros.h"

namespace ridgeline {

const v1::TensorQuant& TensorOf(const v1::Quant& quant, Side side) {
  return side == Side::kWeight ? quant.weight() : quant.activation();
}

const std::string& EstimatorOfTensor(const v1::Quant& quant, const v1::TensorQuant& tensor) {
  return tensor.has_estimator() ? tensor.estimator() : quant.estimator();
}

const std::string& GridOfTensor(const v1::Quant& quant, const v1::TensorQuant& tensor) {
  return tensor.has_grid() ? tensor.grid() : quant.grid();
}

const std::string& GridGradientOfTensor(const v1::Quant& quant, const v1::TensorQuant& tensor) {
  return tensor.has_grid_gradient() ? tensor.grid_gradient() : quant.grid_gradient();
}

double TrustOfTensor(const v1::Quant& quant, const v1::TensorQuant& tensor) {
  return tensor.has_trust() ? tensor.trust() : quant.trust();
}

bool IsQuantized(const v1::Quant& quant, const v1::TensorQuant& tensor) {
  return EstimatorOfTensor(quant, tensor) != "none" && tensor.format() != "none";
}

absl::StatusOr<QuantizerSpec> SpecOfTensor(const v1::Quant& quant, Side side) {
  const v1::TensorQuant& tensor = TensorOf(quant, side);
  QuantizerSpec spec;
  spec.estimator = EstimatorOfTensor(quant, tensor);
  ASSIGN_OR_RETURN(spec.format, ParseFormat(tensor.format()));
  ASSIGN_OR_RETURN(spec.scheme, ParseScheme(tensor.scheme()));
  ASSIGN_OR_RETURN(spec.grid_gradient, ParseGridGradient(GridGradientOfTensor(quant, tensor)));
  ASSIGN_OR_RETURN(spec.grid, ParseGridStatistics(GridOfTensor(quant, tensor)));
  if (tensor.has_granularity()) {
    ASSIGN_OR_RETURN(spec.granularity, ParseGranularity(tensor.granularity()));
  }
  spec.hadamard = quant.hadamard();
  spec.hadamard_signs = quant.hadamard_signs();
  spec.block = tensor.block();
  spec.lambda = quant.lambda();
  const EstimatorTraits* traits = FindEstimatorTraits(spec.estimator);
  if (traits != nullptr && traits->has_fit()) {
    ASSIGN_OR_RETURN(spec.fit_gradient, ParseFitGradient(quant.fit_gradient()));
  }
  spec.trust = TrustOfTensor(quant, tensor);
  if (side == Side::kWeight) {  // Recipes of earlier versions, with all defaults, do not say.
    ASSIGN_OR_RETURN(spec.scale_precision,
                     ParseStoredScales(quant.has_weight_scales() ? quant.weight_scales() : "float16"));
  }
  return spec;
}

std::string EstimatorLabel(const v1::Quant& quant) {
  const bool has_weight = IsQuantized(quant, quant.weight()), has_activation = IsQuantized(quant, quant.activation());
  if (!has_weight && !has_activation) return quant.estimator();
  const std::string& weight = EstimatorOfTensor(quant, has_weight ? quant.weight() : quant.activation());
  const std::string& activation = EstimatorOfTensor(quant, has_activation ? quant.activation() : quant.weight());
  return weight == activation ? weight : weight + "+" + activation;
}

}  // namespace ridgeline
