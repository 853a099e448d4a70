// SPDX-License-Identifier: Apache-2.0
#include "worker/parallel/gradients.h"

#include <algorithm>
#include <utility>

#include "common/status_macros.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

// Of a bfloat16 buffer that travels as float32 at once.
constexpr int64_t kElementsPerPart = int64_t{1} << 24;

}  // namespace

Gradients::Gradients(std::vector<Parameter*> parameters, GradientSums sums, size_t extras)
    : parameters_(std::move(parameters)) {
  for (const Parameter* parameter : parameters_) elements_ += parameter->master.numel();
  if (sums == GradientSums::kFloat64) wide_ = at::empty({elements_}, at::kDouble);
  if (sums == GradientSums::kBfloat16) {
    flat_ = at::empty({elements_}, at::kBFloat16);
    own_extras_.resize(extras);
    extras_ = own_extras_;
  } else {
    flat_ = at::empty({elements_ + static_cast<int64_t>(extras)});
    extras_ = {flat_.mutable_data_ptr<float>() + elements_, extras};
  }
  int64_t offset = 0;
  for (Parameter* parameter : parameters_) {
    parameter->gradient.sum = flat_.narrow(0, offset, parameter->master.numel()).view_as(parameter->master);
    offset += parameter->master.numel();
  }
  Clear();
}

Gradients::~Gradients() {
  for (Parameter* parameter : parameters_) parameter->gradient.sum.reset();
}

void Gradients::Clear() {
  for (Parameter* parameter : parameters_) parameter->gradient.is_empty = true;
  std::fill(extras_.begin(), extras_.end(), 0.0f);
  if (wide_.defined()) wide_.zero_();
}

void Gradients::EndPass() {
  if (!wide_.defined()) return;
  for (Parameter* parameter : parameters_) {
    parameter->gradient.Zeroed();
    parameter->gradient.is_empty = true;
  }
  wide_.add_(flat_.narrow(0, 0, elements_));
}

absl::Status Gradients::SumWide(Communicator& communicator) {
  RETURN_IF_ERROR(communicator.AllReduceSum(extras_, "gradients"));
  RETURN_IF_ERROR(communicator.AllReduceSum({wide_.mutable_data_ptr<double>(), elements_}, "gradients"));
  flat_.narrow(0, 0, elements_).copy_(wide_);
  for (Parameter* parameter : parameters_) parameter->gradient.is_empty = false;
  return absl::OkStatus();
}

absl::Status Gradients::Sum(Communicator& communicator) {
  if (wide_.defined()) return SumWide(communicator);
  for (Parameter* parameter : parameters_) parameter->gradient.Zeroed();  // An idle rank has none.
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

}  // namespace ridgeline
