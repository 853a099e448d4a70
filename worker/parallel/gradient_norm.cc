// SPDX-License-Identifier: Apache-2.0
#include "worker/parallel/gradient_norm.h"

#include <cmath>

#include "quant/autograd/torch_pch.h"

namespace ridgeline {

// Partial sums by place and not by thread.
GradientSquares PassThroughQuantizers(LanguageModel* model, const std::vector<RunOfRows>& runs) {
  at::NoGradGuard no_grad;
  std::deque<Parameter>& parameters = model->parameters();
  for (Parameter& parameter : parameters)
    if (!parameter.refreshes_by_rows()) parameter.PassGradientThroughQuantizer();
  const at::TensorOptions doubles = at::TensorOptions(at::kDouble).device(model->options().device);
  at::Tensor shared = at::zeros({std::ssize(runs)}, doubles), whole = at::zeros({std::ssize(runs)}, doubles);
  ForRunsOfRows(model->ops(), runs, [&](size_t i) {
    Parameter& parameter = parameters[runs[i].parameter];
    if (parameter.refreshes_by_rows()) parameter.PassGradientOfRows(runs[i].begin_row, runs[i].end_row);
    model->ops().SumOfSquares(parameter.gradient.sum, runs[i].numbers, parameter.sharing.is_shared ? shared : whole,
                              static_cast<int64_t>(i));
  });
  return {shared.sum(), whole.sum()};
}

StepSums ReadSums(const at::Tensor& squares, const at::Tensor& extras) {
  const at::Tensor read = at::cat({squares.reshape({1}), extras.to(at::kDouble)}).cpu();
  StepSums sums{.gradient_norm = std::sqrt(read[0].item<double>()), .extras = {}};
  for (int64_t i = 1; i < read.numel(); ++i) sums.extras.push_back(static_cast<float>(read[i].item<double>()));
  return sums;
}

}  // namespace ridgeline
