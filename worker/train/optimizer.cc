// SPDX-License-Identifier: Apache-2.0
#include "worker/train/optimizer.h"

#include <cmath>

#include "fmt/format.h"
#include "model/kernels/rows.h"
#include "quant/autograd/fake_quantize.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

constexpr int64_t kElementsPerTask = int64_t{1} << 16;

template <typename T>
void StepAll(const rows::AdamwStep& step, const T* gradient, int64_t n, float* weight, float* first, float* second,
             rows::Bfloat16* copy) {
  at::parallel_for(0, n, kElementsPerTask, [&](int64_t begin, int64_t end) {
    rows::Adamw(step, gradient + begin, end - begin, weight + begin, first + begin, second + begin,
                copy == nullptr ? nullptr : copy + begin);
  });
}

}  // namespace

AdamW::AdamW(LanguageModel* model, const v1::Optimizer& options, double mask_decay)
    : model_(model), options_(options), mask_decay_(mask_decay), steps_(at::zeros({}, at::kLong)) {
  for (const Parameter& parameter : model->parameters())
    moments_.push_back({at::zeros_like(parameter.master), at::zeros_like(parameter.master)});
}

void AdamW::Step(double learning_rate, double gradient_scale) {
  steps_.add_(1);
  size_t i = 0;
  for (Parameter& parameter : model_->parameters())
    StepParameter(&parameter, &moments_[i++], learning_rate, gradient_scale);
}

// SR-STE as weight_decay decays, for what the step's forward pass pruned: master and mask are still those of it.
void AdamW::DecayPruned(Parameter* parameter, double learning_rate) {
  if (mask_decay_ == 0 || !parameter->quantizer.sparsity.is_sparse()) return;
  QuantizerSpec pruning = parameter->quantizer;
  pruning.format = Format::kNone;
  pruning.stays_turned = false;
  const at::Tensor kept = QuantizedValues(parameter->master, pruning, at::kFloat);
  parameter->master.sub_(parameter->master - kept, learning_rate * mask_decay_);
}

void AdamW::StepParameter(Parameter* parameter, Moments* moments, double learning_rate, double gradient_scale) {
  DecayPruned(parameter, learning_rate);
  const double taken = static_cast<double>(steps_.item<int64_t>());
  const rows::AdamwStep step = {.learning_rate = static_cast<float>(learning_rate),
                                .beta1 = static_cast<float>(options_.beta1()),
                                .beta2 = static_cast<float>(options_.beta2()),
                                .epsilon = static_cast<float>(options_.eps()),
                                .weight_decay = static_cast<float>(parameter->decays ? options_.weight_decay() : 0),
                                .correction1 = static_cast<float>(1 - std::pow(options_.beta1(), taken)),
                                .correction2 = static_cast<float>(1 - std::pow(options_.beta2(), taken)),
                                .gradient_scale = static_cast<float>(gradient_scale)};
  const bool copies = parameter->compute.scalar_type() == at::kBFloat16 && !parameter->quantizer.enabled();
  rows::Bfloat16* copy = copies ? static_cast<rows::Bfloat16*>(parameter->compute.mutable_data_ptr()) : nullptr;
  const int64_t n = parameter->master.numel();
  float* weight = parameter->master.mutable_data_ptr<float>();
  float* first = moments->first.mutable_data_ptr<float>();
  float* second = moments->second.mutable_data_ptr<float>();
  const at::Tensor& gradient = parameter->gradient;
  if (gradient.scalar_type() == at::kFloat) StepAll(step, gradient.const_data_ptr<float>(), n, weight, first, second, copy);
  else StepAll(step, static_cast<const rows::Bfloat16*>(gradient.const_data_ptr()), n, weight, first, second, copy);
  if (std::isfinite(parameter->smallest)) parameter->master.clamp_min_(parameter->smallest);
  if (!copies) parameter->RefreshCompute();
}

std::map<std::string, at::Tensor> AdamW::State() const {
  std::map<std::string, at::Tensor> state = {{"optimizer.steps", steps_}};
  size_t i = 0;
  for (const Parameter& parameter : model_->parameters()) {
    state["optimizer.m." + parameter.name] = moments_[i].first;
    state["optimizer.v." + parameter.name] = moments_[i++].second;
  }
  return state;
}

absl::Status AdamW::LoadState(const std::map<std::string, at::Tensor>& state) {
  for (auto& [name, tensor] : State()) {
    auto found = state.find(name);
    if (found == state.end()) return absl::DataLossError(fmt::format("the checkpoint lacks '{}'", name));
    if (found->second.sizes() != tensor.sizes())
      return absl::DataLossError(fmt::format("'{}' in the checkpoint has another shape than the model's", name));
    tensor.copy_(found->second);
  }
  return absl::OkStatus();
}

}  // namespace ridgeline
