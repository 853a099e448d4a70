// SPDX-License-Identifier: Apache-2.0
// The trained tensors of a network in the order in which model/ makes them, without making one. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/model_config.h"
#include "plan/network.h"
#include "quant/cost/accounting.h"

namespace ridgeline {

// Linear layers of attention and MLP may be quantized; other matrices are embeddings; vectors (columns = 1) are norms
// and biases.
enum class ParameterKind { kLinear, kEmbedding, kVector };

struct ParameterShape {
  std::string name;
  ParameterKind kind = ParameterKind::kLinear;
  int64_t rows = 0;
  int64_t columns = 1;

  int64_t elements() const { return rows * columns; }
};

std::vector<ParameterShape> ParametersOf(const ModelConfig& config);

// The weight's quantizer of a parameter: that of the recipe for a linear layer that is not skipped, none for others.
QuantizerSpec WeightQuantizerOf(const ParameterShape& parameter, const Quantizers& quantizers);

struct ParameterCounts {
  int64_t total = 0;
  int64_t embeddings = 0;
  int64_t linears = 0;
  int64_t quantized = 0;  // Of the linears: those that are quantized or pruned.
  int64_t largest_quantized = 0;
};
ParameterCounts Count(const std::vector<ParameterShape>& parameters, const Quantizers& quantizers);

// What the trained network costs to store and to run; the head is the first embedding.
ModelCost CostOf(const std::vector<ParameterShape>& parameters, const Quantizers& quantizers);

}  // namespace ridgeline
