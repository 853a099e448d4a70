// SPDX-License-Identifier: Apache-2.0
#include "worker/train/optimizer.h"

#include "fmt/format.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {

AdamW::AdamW(const std::vector<NamedParameter>& parameters, const v1::Optimizer& options, int64_t extras)
    : options_(options) {
  for (const NamedParameter& parameter : parameters) gradient_elements_ += parameter.tensor.numel();
  flat_ = at::zeros({gradient_elements_ + extras});
  groups_[0].weight_decay = options.weight_decay();
  int64_t offset = 0;
  for (const NamedParameter& parameter : parameters) {
    at::Tensor tensor = parameter.tensor;
    at::Tensor gradient = flat_.narrow(0, offset, tensor.numel()).view_as(tensor);
    offset += tensor.numel();
    tensor.mutable_grad() = gradient;  // Autograd adds into a gradient that is already there.
    Group& group = groups_[parameter.decays ? 0 : 1];
    group.names.push_back(parameter.name);
    group.parameters.push_back(tensor.detach());
    group.gradients.push_back(gradient);
    group.first_moments.push_back(at::zeros_like(group.parameters.back()));
    group.second_moments.push_back(at::zeros_like(group.parameters.back()));
    group.steps.push_back(at::zeros({}));
  }
}

void AdamW::ZeroGradients() { flat_.zero_(); }

std::span<float> AdamW::flat_with_extras() {
  return {flat_.mutable_data_ptr<float>(), static_cast<size_t>(flat_.numel())};
}

std::span<float> AdamW::extras() { return flat_with_extras().subspan(static_cast<size_t>(gradient_elements_)); }

double AdamW::ClipGradients(double max_norm) {
  at::Tensor gradients = flat_.narrow(0, 0, gradient_elements_);
  double norm = gradients.norm().item<double>();
  if (max_norm > 0 && norm > max_norm) gradients.mul_(max_norm / (norm + 1e-6));
  return norm;
}

void AdamW::Step(double learning_rate) {
  for (Group& group : groups_) {
    if (group.parameters.empty()) continue;
    for (at::Tensor& step : group.steps) step.add_(1);
    at::_fused_adamw_(group.parameters, group.gradients, group.first_moments, group.second_moments, {}, group.steps,
                      learning_rate, options_.beta1(), options_.beta2(), group.weight_decay, options_.eps(),
                      /*amsgrad=*/false, /*maximize=*/false);
  }
}

std::map<std::string, at::Tensor> AdamW::State() const {
  std::map<std::string, at::Tensor> state;
  for (const Group& group : groups_)
    for (size_t i = 0; i < group.names.size(); ++i) {
      state["optimizer.m." + group.names[i]] = group.first_moments[i];
      state["optimizer.v." + group.names[i]] = group.second_moments[i];
      state["optimizer.step." + group.names[i]] = group.steps[i];
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
