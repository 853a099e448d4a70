// SPDX-License-Identifier: Apache-2.0
#include "quant/cost/accounting.h"

#include <cmath>

#include "quant/cost/stored_bits.h"

namespace ridgeline {
namespace {

constexpr double kUnquantizedBits = 16;

double BitsOf(const QuantizerSpec& spec) { return spec.quantizes() ? CodeBits(spec.format) : kUnquantizedBits; }

// How many grids a weight matrix has.
double GridsOf(const LinearCost& layer) {
  if (layer.weight.granularity == Granularity::kTensor) return 1;
  if (layer.weight.granularity == Granularity::kRow) return static_cast<double>(layer.rows);
  const int64_t blocks_per_row = (layer.columns + layer.weight.block - 1) / layer.weight.block;
  return static_cast<double>(layer.rows * blocks_per_row);
}

// Stored bits of a weight matrix: codes of what is kept, which those are, and metadata of every grid.
double StoredBits(const LinearCost& layer) {
  const SparsityPattern& sparsity = layer.weight.sparsity;
  const double elements = static_cast<double>(layer.rows) * static_cast<double>(layer.columns);
  const double groups = sparsity.is_sparse() ? elements / sparsity.m : 0;
  const double bits = elements * BitsOf(layer.weight) * sparsity.kept_fraction() + groups * MaskBitsPerGroup(sparsity);
  if (!layer.weight.quantizes()) return bits;
  return bits + GridsOf(layer) * GridMetadataBits(layer.weight) + TensorMetadataBits(layer.weight.format);
}

}  // namespace

ModelCost CostOfModel(const std::vector<LinearCost>& linears, int64_t other_elements, int64_t other_macs) {
  double linear_bits = 0, linear_elements = 0;
  ModelCost cost;
  for (const LinearCost& layer : linears) {
    double macs = static_cast<double>(layer.rows) * static_cast<double>(layer.columns);
    linear_bits += StoredBits(layer);
    linear_elements += macs;
    cost.energy_proxy += macs * BitsOf(layer.weight) * BitsOf(layer.activation) * layer.weight.sparsity.kept_fraction();
  }
  cost.energy_proxy += static_cast<double>(other_macs) * kUnquantizedBits * kUnquantizedBits;
  cost.storage_bytes = std::ceil((linear_bits + static_cast<double>(other_elements) * kUnquantizedBits) / 8);
  cost.bits_per_element = linear_elements > 0 ? linear_bits / linear_elements : kUnquantizedBits;
  return cost;
}

}  // namespace ridgeline
