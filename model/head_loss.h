// SPDX-License-Identifier: Apache-2.0
// Cross-entropy over a large vocabulary without ever holding all logits: rows of hidden states go through the head a
// chunk at a time, and each chunk's logits turn into their own gradient in place.
#pragma once

#include <ATen/core/Tensor.h>

#include "model/parameter.h"

namespace ridgeline {

// hidden: (N, C), head: (V, C), targets: (N) int64. Without gradients.
HeadSums ScoreHead(const at::Tensor& hidden, const Parameter& head, const at::Tensor& targets);

// Soft targets from another network with the same vocabulary.
struct Distillation {
  at::Tensor hidden;  // (N, teacher C)
  at::Tensor head;    // (V, teacher C)
  double weight = 0;  // Of T^2 KL(teacher || student) in the loss; the cross-entropy has 1 - weight.
  double temperature = 1;
};

struct HeadGradient {
  HeadSums sums;      // Loss: of the cross-entropy alone. Divergence: 0 without distillation.
  at::Tensor hidden;  // (N, C): scale * dloss/dhidden
};

// The same, and adds scale * dloss/dhead to head->gradient.
HeadGradient BackwardThroughHead(const at::Tensor& hidden, Parameter* head, const at::Tensor& targets, double scale,
                                 const Distillation* distillation = nullptr);

}  // namespace ridgeline
