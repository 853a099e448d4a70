// SPDX-License-Identifier: Apache-2.0
// What a model costs to store and to run: the abscissae of the frontier.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "method/quantizer_spec.h"

namespace ridgeline {

// A weight matrix (rows, columns) that every token is multiplied with once.
struct LinearCost {
  std::string name;
  int64_t rows = 0;
  int64_t columns = 0;       // Input features: blocks run along them.
  QuantizerSpec weight;      // Stored as a PackedTensor (quant/codes); not quantized in 16 bits of what is kept.
  QuantizerSpec activation;  // Not quantized: multiplied in 16 bits. Its sparsity saves nothing here.
};

struct ModelCost {
  double storage_bytes = 0;     // Codes, masks, block metadata, and everything else at 16 bits.
  double bits_per_element = 0;  // Stored bits per weight over the quantizable layers, metadata included.
  double energy_proxy = 0;  // Per token: sum of MACs x weight bits x activation bits x kept fraction of the weights.
};

// `linears` are the layers of attention and MLP. `head` is stored once for embedding and head; bits_per_element leaves
// it out. `other_elements` is everything else that is stored (positions, norms), at 16 bits each. REQUIRES:
// PackedLayoutOf accepts each quantized weight.
ModelCost CostOfModel(const std::vector<LinearCost>& linears, const LinearCost& head, int64_t other_elements);

}  // namespace ridgeline
