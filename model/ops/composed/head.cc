// SPDX-License-Identifier: Apache-2.0
#include "model/ops/composed/composed_ops.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

// What rows of logits score: log softmax at the target, and whether the first of the largest is the target.
void AddScores(const at::Tensor& logits, const at::Tensor& targets, HeadSums* sums) {
  const at::Tensor wide = logits.to(at::kFloat), picked = targets.unsqueeze(1);
  const at::Tensor losses = at::logsumexp(wide, {1}) - wide.gather(1, picked).squeeze(1);
  sums->values[0].add_(losses.to(at::kDouble).sum());
  sums->values[1].add_(wide.argmax(1).eq(targets).to(at::kDouble).sum());
}

}  // namespace

void ComposedOperations::ScoreLogits(const at::Tensor& logits, const at::Tensor& targets, HeadSums* sums) const {
  AddScores(logits, targets, sums);
}

void ComposedOperations::LogitGradients(at::Tensor& logits, const at::Tensor& targets, double scale,
                                        HeadSums* sums) const {
  AddScores(logits, targets, sums);
  const at::Tensor picked = targets.unsqueeze(1);
  at::Tensor gradients = at::softmax(logits.to(at::kFloat), 1);
  gradients.scatter_add_(1, picked, at::full({targets.size(0), 1}, -1.0, gradients.options()));
  logits.copy_(gradients.mul_(scale));
}

void ComposedOperations::DistillGradients(at::Tensor& student, at::Tensor& teacher, double temperature, double scale,
                                          HeadSums* sums) const {
  const at::Tensor ours = at::log_softmax(student.to(at::kFloat) / temperature, 1),
                   theirs = at::log_softmax(teacher.to(at::kFloat) / temperature, 1), p = theirs.exp();
  const at::Tensor divergence = (p * (theirs - ours)).sum(1) * (temperature * temperature);
  sums->values[2].add_(divergence.to(at::kDouble).sum());
  student.copy_((ours.exp() - p) * (scale * temperature));
}

}  // namespace ridgeline
