// SPDX-License-Identifier: Apache-2.0
#include "model/head_loss.h"

#include <algorithm>

#include "model/logit_chunks.h"
#include "model/weight_product.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

// Rows of a weight gradient that are formed at once where it is kept in another dtype than it is computed in.
constexpr int64_t kGradientRows = 16 * 1024;

// Calls function(begin, count) for the chunks of `rows` rows.
template <typename Function>
void ForChunks(int64_t rows, int64_t vocab_size, const Function& function) {
  const int64_t chunk = LogitRowsAtOnce(vocab_size);
  for (int64_t begin = 0; begin < rows; begin += chunk) function(begin, std::min(chunk, rows - begin));
}

// head->gradient += logit_gradient^T @ hidden, (n, V) and (n, C)
void AddHeadGradient(const at::Tensor& logit_gradient, const at::Tensor& hidden, Parameter* head) {
  if (head->gradient.sum.scalar_type() == hidden.scalar_type())
    return head->gradient.AddProduct(*head->ops, logit_gradient.t(), hidden);
  at::Tensor& gradient = head->gradient.Zeroed();
  for (int64_t begin = 0; begin < gradient.size(0); begin += kGradientRows) {
    const int64_t count = std::min(kGradientRows, gradient.size(0) - begin);
    gradient.narrow(0, begin, count).add_(head->ops->Product(logit_gradient.narrow(1, begin, count).t(), hidden));
  }
}

}  // namespace

HeadSums ScoreHead(const at::Tensor& hidden, const Parameter& head, const at::Tensor& targets) {
  at::NoGradGuard no_grad;
  HeadSums sums = head.ops->NoSums(hidden);
  const at::Tensor expected = targets.contiguous();
  ForChunks(hidden.size(0), head.shape->rows(), [&](int64_t begin, int64_t count) {
    head.ops->ScoreLogits(ProductWith(hidden.narrow(0, begin, count), head), expected.narrow(0, begin, count), &sums);
  });
  return sums;
}

HeadGradient BackwardThroughHead(const at::Tensor& hidden, Parameter* head, const at::Tensor& targets, double scale,
                                 const Distillation* distillation) {
  at::NoGradGuard no_grad;
  const Ops& ops = *head->ops;
  HeadGradient result{ops.NoSums(hidden), at::empty_like(hidden)};
  const at::Tensor expected = targets.contiguous();
  const double soft = distillation == nullptr ? 0 : distillation->weight;
  ForChunks(hidden.size(0), head->compute.size(0), [&](int64_t begin, int64_t count) {
    const at::Tensor rows_of_hidden = hidden.narrow(0, begin, count);
    at::Tensor logits = ops.Product(rows_of_hidden, head->compute.t()), student;
    if (soft > 0) student = logits.clone();
    ops.LogitGradients(logits, expected.narrow(0, begin, count), scale * (1 - soft), &result.sums);
    if (soft > 0) {
      at::Tensor teacher =
          ops.Product(distillation->hidden.narrow(0, begin, count), distillation->head.t()).to(student.scalar_type());
      ops.DistillGradients(student, teacher, distillation->temperature, scale * soft, &result.sums);
      logits.add_(student);
    }
    at::Tensor out = result.hidden.narrow(0, begin, count);
    ops.ProductInto(logits, head->compute, out);
    AddHeadGradient(logits, rows_of_hidden, head);
  });
  return result;
}

}  // namespace ridgeline
