// SPDX-License-Identifier: Apache-2.0
#include "worker/parallel/gradient_norm.h"

#include "model/kernels/rows.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

double SumOfSquares(const at::Tensor& x, const RunOfRows& run) {
  if (x.scalar_type() == at::kFloat) return rows::SumOfSquares(x.const_data_ptr<float>() + run.begin, run.count);
  return rows::SumOfSquares(static_cast<const rows::Bfloat16*>(x.const_data_ptr()) + run.begin, run.count);
}

}  // namespace

// Partial sums by place and not by thread.
GradientSquares PassThroughQuantizers(LanguageModel* model, const std::vector<RunOfRows>& runs) {
  at::NoGradGuard no_grad;
  std::deque<Parameter>& parameters = model->parameters();
  for (Parameter& parameter : parameters)
    if (!parameter.refreshes_by_rows()) parameter.PassGradientThroughQuantizer();
  std::vector<double> squares(runs.size());
  ForRunsOfRows(runs, [&](size_t i) {
    Parameter& parameter = parameters[runs[i].parameter];
    if (parameter.refreshes_by_rows()) parameter.PassGradientOfRows(runs[i].begin_row, runs[i].end_row);
    squares[i] = SumOfSquares(parameter.gradient.sum, runs[i]);
  });
  GradientSquares sums;
  for (size_t i = 0; i < runs.size(); ++i)
    (parameters[runs[i].parameter].sharing.is_shared ? sums.shared : sums.whole) += squares[i];
  return sums;
}

}  // namespace ridgeline
