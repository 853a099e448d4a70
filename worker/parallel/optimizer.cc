// SPDX-License-Identifier: Apache-2.0
#include "worker/parallel/optimizer.h"

#include <cmath>

#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

// Of a layer's matrix in bfloat16 that is not quantized: its new values leave with the step.
bool LeavesWithStep(const Parameter& parameter) {
  return !parameter.sharing.is_shared && parameter.compute.scalar_type() == at::kBFloat16 &&
         !parameter.quantizer.spec.enabled();
}

}  // namespace

AdamW::AdamW(LanguageModel* model, const v1::Optimizer& options, double mask_decay)
    : model_(model),
      options_(options),
      mask_decay_(mask_decay),
      runs_(RunsOfRows(*model)),
      steps_(at::zeros({}, at::kLong)) {
  for (const Parameter& parameter : model->parameters())
    moments_.push_back({at::zeros_like(parameter.master), at::zeros_like(parameter.master)});
}

void AdamW::Step(double learning_rate, double gradient_scale) {
  steps_.add_(1);
  std::deque<Parameter>& parameters = model_->parameters();
  for (Parameter& parameter : parameters) DecayPruned(&parameter, learning_rate);
  const rows::AdamwStep step = StepOf(learning_rate, gradient_scale);
  ForRunsOfRows(model_->ops(), runs_, [&](size_t i) { StepRun(step, runs_[i]); });
  for (Parameter& parameter : parameters) {
    if (std::isfinite(parameter.step.smallest)) parameter.master.clamp_min_(parameter.step.smallest);
    if (!LeavesWithStep(parameter) && !parameter.refreshes_by_rows()) parameter.RefreshCompute();
  }
}

// SR-STE as weight_decay decays, for what the step's forward pass pruned: master and mask are still those of it.
void AdamW::DecayPruned(Parameter* parameter, double learning_rate) {
  if (mask_decay_ == 0 || !parameter->quantizer.spec.sparsity.is_sparse() || parameter->master.numel() == 0) return;
  QuantizerSpec pruning = parameter->quantizer.spec;
  pruning.format = Format::kNone;
  pruning.stays_rotated = false;
  at::Tensor kept = at::empty_like(parameter->master);
  parameter->ops->QuantizeInto(parameter->master, pruning, kept, nullptr);
  parameter->master.sub_(parameter->master - kept, learning_rate * mask_decay_);
}

// Of matrices, whose weights decay.
rows::AdamwStep AdamW::StepOf(double learning_rate, double gradient_scale) const {
  const double taken = static_cast<double>(steps_.item<int64_t>());
  return {.learning_rate = static_cast<float>(learning_rate),
          .beta1 = static_cast<float>(options_.beta1()),
          .beta2 = static_cast<float>(options_.beta2()),
          .epsilon = static_cast<float>(options_.eps()),
          .weight_decay = static_cast<float>(options_.weight_decay()),
          .correction1 = static_cast<float>(1 - std::pow(options_.beta1(), taken)),
          .correction2 = static_cast<float>(1 - std::pow(options_.beta2(), taken)),
          .gradient_scale = static_cast<float>(gradient_scale)};
}

// Quantizes what it can while it is in the cache.
void AdamW::StepRun(rows::AdamwStep step, const RunOfRows& run) {
  Parameter& parameter = model_->parameters()[run.parameter];
  Moments& moments = moments_[run.parameter];
  if (!parameter.step.decays) step.weight_decay = 0;
  AdamwTensors tensors{.gradient = parameter.gradient.sum,
                       .weight = parameter.master,
                       .first = moments.first,
                       .second = moments.second,
                       .copy = LeavesWithStep(parameter) ? parameter.compute : at::Tensor()};
  model_->ops().Adamw(step, tensors, run.numbers);
  if (parameter.refreshes_by_rows()) parameter.RefreshRows(run.begin_row, run.end_row);
}

int64_t AdamW::bytes() const {
  size_t bytes = 0;
  for (const Moments& moments : moments_) bytes += moments.first.nbytes() + moments.second.nbytes();
  return static_cast<int64_t>(bytes);
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

}  // namespace ridgeline
