// SPDX-License-Identifier: Apache-2.0
// One forward and backward pass, or a forward pass that scores: what training and evaluation do with a batch.
#pragma once

#include <ATen/core/Tensor.h>

#include "model/head_loss.h"
#include "model/language_model.h"

namespace ridgeline {

// An unquantized network that a student learns from.
struct Teacher {
  LanguageModel* model = nullptr;
  double weight = 0;  // Share of the divergence in the loss.
  double temperature = 1;
};

// Adds scale * d(sum of losses)/d(compute) to the gradients of all parameters. tokens, targets: (B, T) int64, on the
// model's device. Returns sums over the batch; divergence: 0 without a teacher.
HeadSums AccumulateGradients(LanguageModel* model, const at::Tensor& tokens, const at::Tensor& targets, double scale,
                             const Teacher& teacher = {});

// The same of a rank that has no tokens for this pass while its peers, with whom it shares the weights, have some.
// Nothing happens to a model whose weights are all here.
void PassWithoutTokens(LanguageModel* model);

HeadSums Score(LanguageModel* model, const at::Tensor& tokens, const at::Tensor& targets);

void ScoreWithoutTokens(LanguageModel* model);

// tokens: (B, T) int64 -> (B, T, C) after the last norm, without a graph.
at::Tensor HiddenStates(LanguageModel* model, const at::Tensor& tokens);

}  // namespace ridgeline
