// SPDX-License-Identifier: Apache-2.0
#include "worker/parallel/gradients.h"

#include <algorithm>
#include <utility>

#include "common/status_macros.h"
#include "quant/autograd/torch_pch.h"
#include "worker/parallel/tensor_span.h"

namespace ridgeline {
namespace {

// Of a bfloat16 buffer that travels as float32 at once.
constexpr int64_t kElementsPerPart = int64_t{1} << 24;

at::Device DeviceOf(const std::vector<Parameter*>& parameters) {
  return parameters.empty() ? at::Device(at::kCPU) : parameters.front()->master.device();
}

}  // namespace

Gradients::Gradients(std::vector<Parameter*> parameters, GradientSums sums, size_t extras)
    : parameters_(std::move(parameters)) {
  for (const Parameter* parameter : parameters_) elements_ += parameter->master.numel();
  const at::TensorOptions floats = at::TensorOptions(at::kFloat).device(DeviceOf(parameters_));
  const int64_t extra_count = static_cast<int64_t>(extras);
  host_extras_.resize(extras);
  if (sums == GradientSums::kFloat64) wide_ = at::empty({elements_}, floats.dtype(at::kDouble));
  if (sums == GradientSums::kBfloat16) {
    flat_ = at::empty({elements_}, floats.dtype(at::kBFloat16));
    extras_ = at::empty({extra_count}, floats);
  } else {
    flat_ = at::empty({elements_ + extra_count}, floats);
    extras_ = flat_.narrow(0, elements_, extra_count);
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
  extras_.zero_();
  std::fill(host_extras_.begin(), host_extras_.end(), 0.0f);
  if (wide_.defined()) wide_.zero_();
}

void Gradients::AddToExtra(size_t place, const at::Tensor& value) {
  extras_[static_cast<int64_t>(place)].add_(value.to(at::kFloat));
}

int64_t Gradients::bytes() const {
  return static_cast<int64_t>(flat_.nbytes() + (wide_.defined() ? wide_.nbytes() : 0));
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
  RETURN_IF_ERROR(communicator.AllReduceSum(SpanOf<float>(extras_), "gradients"));
  RETURN_IF_ERROR(communicator.AllReduceSum(SpanOf<double>(wide_), "gradients"));
  flat_.narrow(0, 0, elements_).copy_(wide_);
  for (Parameter* parameter : parameters_) parameter->gradient.is_empty = false;
  return absl::OkStatus();
}

absl::Status Gradients::Sum(Communicator& communicator) {
  extras_.add_(at::tensor(host_extras_).to(extras_.device(), /*non_blocking=*/true));
  if (wide_.defined()) return SumWide(communicator);
  for (Parameter* parameter : parameters_) parameter->gradient.Zeroed();  // An idle rank has none.
  if (communicator.size() == 1) return absl::OkStatus();
  if (flat_.scalar_type() == at::kFloat) return communicator.AllReduceSum(SpanOf<float>(flat_), "gradients");
  RETURN_IF_ERROR(communicator.AllReduceSum(SpanOf<float>(extras_), "gradients"));
  return SumParts(communicator);
}

absl::Status Gradients::SumParts(Communicator& communicator) {
  for (int64_t begin = 0; begin < elements_; begin += kElementsPerPart) {
    at::Tensor part = flat_.narrow(0, begin, std::min(kElementsPerPart, elements_ - begin));
    at::Tensor wide = part.to(at::kFloat);
    RETURN_IF_ERROR(communicator.AllReduceSum(SpanOf<float>(wide), "gradients"));
    part.copy_(wide);
  }
  return absl::OkStatus();
}

}  // namespace ridgeline
