// SPDX-License-Identifier: Apache-2.0
#include "model/training_pass.h"

#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

// (B * T, C), without a graph
at::Tensor HiddenRows(LanguageModel* model, const at::Tensor& tokens) {
  at::NoGradGuard no_grad;
  return model->Hidden(model->Embed(tokens, 0)).flatten(0, 1);
}

}  // namespace

PassResult AccumulateGradients(LanguageModel* model, const at::Tensor& tokens, const at::Tensor& targets, double scale,
                               const Teacher& teacher) {
  const at::Tensor x = model->Embed(tokens, 0).requires_grad_(true);  // (B, T, C)
  const at::Tensor hidden = model->Hidden(x);
  const at::Tensor expected = targets.reshape({-1});
  Distillation distillation{.weight = teacher.weight, .temperature = teacher.temperature};
  if (teacher.model != nullptr) {
    distillation.hidden = HiddenRows(teacher.model, tokens);
    distillation.head = teacher.model->head().compute;
  }
  const HeadGradient head = BackwardThroughHead(hidden.detach().flatten(0, 1), &model->head(), expected, scale,
                                                teacher.model == nullptr ? nullptr : &distillation);
  torch::autograd::backward({hidden}, {head.hidden.view_as(hidden)});
  at::NoGradGuard no_grad;
  model->AddEmbeddingGradient(tokens, x.grad());
  return {head.score, head.divergence};
}

HeadScore Score(LanguageModel* model, const at::Tensor& tokens, const at::Tensor& targets) {
  return ScoreHead(HiddenRows(model, tokens), model->head(), targets.reshape({-1}));
}

}  // namespace ridgeline
