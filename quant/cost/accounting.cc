// SPDX-License-Identifier: Apache-2.0
#include "quant/cost/accounting.h"

#include <cmath>

#include "quant/codes/packed_layout.h"

namespace ridgeline {
namespace {

constexpr double kUnquantizedBits = 16;

double BitsOf(const QuantizerSpec& spec) { return spec.quantizes() ? CodeBits(spec.format) : kUnquantizedBits; }

double ElementsOf(const LinearCost& layer) {
  return static_cast<double>(layer.rows) * static_cast<double>(layer.columns);
}

double EnergyProxy(const LinearCost& layer) {
  const double kept = layer.weight.sparsity.kept_fraction();
  return ElementsOf(layer) * BitsOf(layer.weight) * BitsOf(layer.activation) * kept;
}

// Stored bits of a weight matrix: of a quantized one those that its file has; else 16 for each number that is kept, and
// which those are.
double StoredBits(const LinearCost& layer) {
  if (layer.weight.quantizes())
    return 8 * static_cast<double>(PackedLayoutOf(layer.weight, layer.rows, layer.columns).value().total_bytes());
  const SparsityPattern& sparsity = layer.weight.sparsity;
  const double elements = ElementsOf(layer);
  const double groups = sparsity.is_sparse() ? elements / sparsity.m : 0;
  return elements * kUnquantizedBits * sparsity.kept_fraction() + groups * BitsOfMask(sparsity);
}

}  // namespace

ModelCost CostOfModel(const std::vector<LinearCost>& linears, const LinearCost& head, int64_t other_elements) {
  double linear_bits = 0, linear_elements = 0;
  ModelCost cost;
  for (const LinearCost& layer : linears) {
    linear_bits += StoredBits(layer);
    linear_elements += ElementsOf(layer);
    cost.energy_proxy += EnergyProxy(layer);
  }
  cost.energy_proxy += EnergyProxy(head);
  const double other_bits = StoredBits(head) + static_cast<double>(other_elements) * kUnquantizedBits;
  cost.storage_bytes = std::ceil((linear_bits + other_bits) / 8);
  cost.bits_per_element = linear_elements > 0 ? linear_bits / linear_elements : kUnquantizedBits;
  return cost;
}

}  // namespace ridgeline
