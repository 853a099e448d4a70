// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "model/ops/cpu/cpu_ops.h"
#include "model/ops/cpu/row_threads.h"

namespace ridgeline {
namespace {

// Calls row(T* logits, r) for each row of (rows, V) logits, on LibTorch's threads.
template <typename Function>
void ForLogitRows(at::Tensor& logits, const Function& function) {
  const int64_t n = logits.size(1);
  ForElementOf(logits, [&](auto element) {
    using T = decltype(element);
    T* first = Out<T>(logits);
    at::parallel_for(0, logits.size(0), 1, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) function(first + row * n, row);
    });
  });
}

// In the order of rows, whatever thread has scored them.
void Add(const std::vector<rows::RowScore>& scores, const int64_t* targets, HeadSums* sums) {
  double loss = 0, correct = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    loss += scores[i].loss;
    correct += scores[i].best == targets[i] ? 1 : 0;
  }
  double* out = Out<double>(sums->values);
  out[0] += loss;
  out[1] += correct;
}

}  // namespace

void OpsOnCpu::ScoreLogits(const at::Tensor& logits, const at::Tensor& targets, HeadSums* sums) const {
  std::vector<rows::RowScore> scores(static_cast<size_t>(logits.size(0)));
  const int64_t* target = targets.const_data_ptr<int64_t>();
  at::Tensor read = logits;
  ForLogitRows(read, [&](auto* row, int64_t r) {
    scores[static_cast<size_t>(r)] = rows::ScoreLogits(row, logits.size(1), target[r]);
  });
  Add(scores, target, sums);
}

void OpsOnCpu::LogitGradients(at::Tensor& logits, const at::Tensor& targets, double scale, HeadSums* sums) const {
  std::vector<rows::RowScore> scores(static_cast<size_t>(logits.size(0)));
  const int64_t* target = targets.const_data_ptr<int64_t>();
  ForLogitRows(logits, [&](auto* row, int64_t r) {
    scores[static_cast<size_t>(r)] =
        rows::ScoreLogitsInPlace(row, logits.size(1), target[r], static_cast<float>(scale));
  });
  Add(scores, target, sums);
}

void OpsOnCpu::DistillGradients(at::Tensor& student, at::Tensor& teacher, double temperature, double scale,
                                HeadSums* sums) const {
  std::vector<float> divergences(static_cast<size_t>(student.size(0)), 0);
  const int64_t n = student.size(1);
  ForLogitRows(student, [&](auto* row, int64_t r) {
    using T = std::remove_pointer_t<decltype(row)>;
    divergences[static_cast<size_t>(r)] = rows::DistillLogitsInPlace(
        row, Out<T>(teacher) + r * n, n, static_cast<float>(temperature), static_cast<float>(scale));
  });
  double* divergence = Out<double>(sums->values) + 2;
  for (const float of_row : divergences) *divergence += of_row;
}

}  // namespace ridgeline
