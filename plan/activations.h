// SPDX-License-Identifier: Apache-2.0
// What one pass through a network keeps for its backward pass, and what comes and goes beside it: tensor by tensor as
// model/ saves them (layers.cc, attention.cc, head_loss.cc, quant/autograd). Pure functions. docs/plan.md has the sums.
#pragma once

#include <algorithm>
#include <cstdint>

#include "model/blueprint/model_config.h"
#include "plan/network.h"

namespace ridgeline {

struct PassSize {
  int64_t sequences = 0;
  int64_t seq_len = 0;
  int64_t element_bytes = 4;  // Of the compute dtype.
  bool recomputes = false;    // activation_checkpoint: full
  bool distills = false;

  int64_t tokens() const { return sequences * seq_len; }
};

struct ActivationBytes {
  int64_t kept = 0;  // From the forward to the backward pass.
  // What exists beside it.
  int64_t head = 0;   // A chunk of logits, with the gradient of the hidden states.
  int64_t block = 0;  // The largest block's backward pass.

  int64_t working() const { return std::max(head, block); }
};

ActivationBytes ActivationsOf(const ModelConfig& config, const Quantizers& quantizers, const PassSize& pass);

}  // namespace ridgeline
