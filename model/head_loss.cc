// SPDX-License-Identifier: Apache-2.0
#include "model/head_loss.h"

#include <algorithm>

#include "model/kernels/rows.h"
#include "model/logit_chunks.h"
#include "model/matrix_product.h"
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

// Calls row(T* logits, r) for each row of (rows, V) logits, on LibTorch's threads.
template <typename Function>
void ForLogitRows(at::Tensor& logits, const Function& function) {
  const int64_t n = logits.size(1);
  at::parallel_for(0, logits.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      if (logits.scalar_type() == at::kFloat)
        function(logits.mutable_data_ptr<float>() + row * n, row);
      else
        function(static_cast<rows::Bfloat16*>(logits.mutable_data_ptr()) + row * n, row);
    }
  });
}

HeadScore Sum(const std::vector<rows::RowScore>& scores, const int64_t* targets) {
  HeadScore sum;
  for (size_t i = 0; i < scores.size(); ++i) {
    sum.loss += scores[i].loss;
    sum.correct += scores[i].best == targets[i] ? 1 : 0;
  }
  return sum;
}

// head->gradient += logit_gradient^T @ hidden, (n, V) and (n, C)
void AddHeadGradient(const at::Tensor& logit_gradient, const at::Tensor& hidden, Parameter* head) {
  if (head->gradient.sum.scalar_type() == hidden.scalar_type())
    return head->gradient.AddProduct(logit_gradient.t(), hidden);
  at::Tensor& gradient = head->gradient.Zeroed();
  for (int64_t begin = 0; begin < gradient.size(0); begin += kGradientRows) {
    const int64_t count = std::min(kGradientRows, gradient.size(0) - begin);
    gradient.narrow(0, begin, count).add_(MatrixProduct(logit_gradient.narrow(1, begin, count).t(), hidden));
  }
}

}  // namespace

HeadScore ScoreHead(const at::Tensor& hidden, const Parameter& head, const at::Tensor& targets) {
  at::NoGradGuard no_grad;
  HeadScore total;
  const at::Tensor expected = targets.contiguous();
  ForChunks(hidden.size(0), head.shape->rows(), [&](int64_t begin, int64_t count) {
    at::Tensor logits = ProductWith(hidden.narrow(0, begin, count), head);
    std::vector<rows::RowScore> scores(static_cast<size_t>(count));
    const int64_t* target = expected.const_data_ptr<int64_t>() + begin;
    ForLogitRows(logits, [&](auto* row, int64_t r) {
      scores[static_cast<size_t>(r)] = rows::ScoreLogits(row, logits.size(1), target[r]);
    });
    const HeadScore chunk = Sum(scores, target);
    total.loss += chunk.loss;
    total.correct += chunk.correct;
  });
  return total;
}

HeadGradient BackwardThroughHead(const at::Tensor& hidden, Parameter* head, const at::Tensor& targets, double scale,
                                 const Distillation* distillation) {
  at::NoGradGuard no_grad;
  HeadGradient result;
  result.hidden = at::empty_like(hidden);
  const at::Tensor expected = targets.contiguous();
  const double soft = distillation == nullptr ? 0 : distillation->weight;
  ForChunks(hidden.size(0), head->compute.size(0), [&](int64_t begin, int64_t count) {
    const at::Tensor rows_of_hidden = hidden.narrow(0, begin, count);
    at::Tensor logits = MatrixProduct(rows_of_hidden, head->compute.t()), student;
    std::vector<rows::RowScore> scores(static_cast<size_t>(count));
    std::vector<float> divergences(static_cast<size_t>(count), 0);
    const int64_t* target = expected.const_data_ptr<int64_t>() + begin;
    const int64_t n = logits.size(1);
    if (soft > 0) student = logits.clone();
    ForLogitRows(logits, [&](auto* row, int64_t r) {
      scores[static_cast<size_t>(r)] =
          rows::ScoreLogitsInPlace(row, n, target[r], static_cast<float>(scale * (1 - soft)));
    });
    if (soft > 0) {
      at::Tensor teacher =
          MatrixProduct(distillation->hidden.narrow(0, begin, count), distillation->head.t()).to(student.scalar_type());
      ForLogitRows(student, [&](auto* row, int64_t r) {
        using T = std::remove_pointer_t<decltype(row)>;
        divergences[static_cast<size_t>(r)] =
            rows::DistillLogitsInPlace(row, static_cast<T*>(teacher.mutable_data_ptr()) + r * n, n,
                                       static_cast<float>(distillation->temperature), static_cast<float>(scale * soft));
      });
      logits.add_(student);
    }
    const HeadScore chunk = Sum(scores, target);
    result.score.loss += chunk.loss;
    result.score.correct += chunk.correct;
    for (float divergence : divergences) result.divergence += divergence;
    at::Tensor out = result.hidden.narrow(0, begin, count);
    MatrixProductInto(logits, head->compute, out);
    AddHeadGradient(logits, rows_of_hidden, head);
  });
  return result;
}

}  // namespace ridgeline
