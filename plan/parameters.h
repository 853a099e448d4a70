// SPDX-License-Identifier: Apache-2.0
// How many parameters a network has, without making one. Pure functions.
#pragma once

#include <cstdint>

#include "model/blueprint/quantizers.h"

namespace ridgeline {

struct ParameterCounts {
  int64_t total = 0;  // With what quantizers learn.
  int64_t embeddings = 0;
  int64_t linears = 0;
  int64_t quantized = 0;  // Of the linears: those that are quantized or pruned.
  int64_t largest_quantized = 0;
  bool has_quantized_embedding = false;
  int64_t learned = 0;  // Scales that quantizers learn, and what computes them.
};
// `parameters`: a network's list with what its quantizers learn (WithLearned).
ParameterCounts Count(const ParameterList& parameters, const Quantizers& quantizers);

}  // namespace ridgeline
