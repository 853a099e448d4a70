// SPDX-License-Identifier: Apache-2.0
// Causal attention with a cache of earlier positions and a sliding window.
#pragma once

#include <ATen/core/Tensor.h>

#include "model/language_model.h"
#include "model/ops/ops.h"

namespace ridgeline {

struct AttentionOptions {
  double scale = 0;    // Of the scores.
  int64_t window = 0;  // A position sees this many positions, itself included; 0: all before it.
};

// query: (B, T, H, D); key, value: (B, T, K, D) with K dividing H -> (B, T, H, D). With a cache, keys and values of
// layer `layer` join it and earlier positions are attended to; the caller advances cache->length.
// The mask exists only where the window hides something: sequences no longer than it cost what plain causal ones do.
at::Tensor CausalAttention(const Ops& ops, const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                           const AttentionOptions& options, KvCache* cache, size_t layer);

}  // namespace ridgeline
