// SPDX-License-Identifier: Apache-2.0
#include "worker/parallel/gradients.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "common/status_macros.h"
#include "model/kernels/rows.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

// Of a bfloat16 buffer that travels as float32 at once.
constexpr int64_t kElementsPerPart = int64_t{1} << 24;

double SumOfSquares(const at::Tensor& x, int64_t begin, int64_t count) {
  if (x.scalar_type() == at::kFloat) return rows::SumOfSquares(x.const_data_ptr<float>() + begin, count);
  return rows::SumOfSquares(static_cast<const rows::Bfloat16*>(x.const_data_ptr()) + begin, count);
}

}  // namespace

Gradients::Gradients(LanguageModel* model, bool accumulates, size_t extras) : model_(model), runs_(RunsOfRows(*model)) {
  for (const Parameter& parameter : model->parameters()) elements_ += parameter.master.numel();
  const bool in_bfloat16 = model->options().compute_dtype == at::kBFloat16 && !accumulates;
  if (in_bfloat16) {
    flat_ = at::empty({elements_}, at::kBFloat16);
    own_extras_.resize(extras);
    extras_ = own_extras_;
  } else {
    flat_ = at::empty({elements_ + static_cast<int64_t>(extras)});
    extras_ = {flat_.mutable_data_ptr<float>() + elements_, extras};
  }
  int64_t offset = 0;
  for (Parameter& parameter : model->parameters()) {
    parameter.gradient = flat_.narrow(0, offset, parameter.master.numel()).view_as(parameter.master);
    offset += parameter.master.numel();
  }
  Clear();
}

Gradients::~Gradients() {
  for (Parameter& parameter : model_->parameters()) parameter.gradient.reset();
}

void Gradients::Clear() {
  for (Parameter& parameter : model_->parameters()) parameter.gradient_is_empty = true;
  std::fill(extras_.begin(), extras_.end(), 0.0f);
}

absl::Status Gradients::Sum(Communicator& communicator) {
  for (Parameter& parameter : model_->parameters()) parameter.ZeroedGradient();  // An idle rank has none.
  if (communicator.size() == 1) return absl::OkStatus();
  if (own_extras_.empty())
    return communicator.AllReduceSum({flat_.mutable_data_ptr<float>(), flat_.numel()}, "gradients");
  RETURN_IF_ERROR(communicator.AllReduceSum(extras_, "gradients"));
  return SumParts(communicator);
}

absl::Status Gradients::SumParts(Communicator& communicator) {
  for (int64_t begin = 0; begin < elements_; begin += kElementsPerPart) {
    at::Tensor part = flat_.narrow(0, begin, std::min(kElementsPerPart, elements_ - begin));
    at::Tensor wide = part.to(at::kFloat);
    RETURN_IF_ERROR(communicator.AllReduceSum({wide.mutable_data_ptr<float>(), wide.numel()}, "gradients"));
    part.copy_(wide);
  }
  return absl::OkStatus();
}

// Partial sums by place and not by thread: the same whatever the number of threads.
double Gradients::PassThroughQuantizers() {
  at::NoGradGuard no_grad;
  std::deque<Parameter>& parameters = model_->parameters();
  for (Parameter& parameter : parameters)
    if (!parameter.refreshes_by_rows()) parameter.PassGradientThroughQuantizer();
  std::vector<double> squares(runs_.size());
  ForRunsOfRows(runs_, [&](size_t i) {
    Parameter& parameter = parameters[runs_[i].parameter];
    if (parameter.refreshes_by_rows()) parameter.PassGradientOfRows(runs_[i].begin_row, runs_[i].end_row);
    squares[i] = SumOfSquares(parameter.gradient, runs_[i].begin, runs_[i].count);
  });
  return std::sqrt(std::accumulate(squares.begin(), squares.end(), 0.0));
}

}  // namespace ridgeline
