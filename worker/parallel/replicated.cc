// SPDX-License-Identifier: Apache-2.0
#include "worker/parallel/replicated.h"

#include "common/status_macros.h"
#include "fmt/format.h"
#include "quant/autograd/torch_pch.h"
#include "worker/parallel/gradients.h"
#include "worker/parallel/optimizer.h"

namespace ridgeline {
namespace {

class Replicated : public Strategy {
 public:
  Replicated(LanguageModel* model, const v1::Optimizer& optimizer, const ReplicatedOptions& options,
             Communicator& communicator)
      : model_(model),
        communicator_(communicator),
        gradients_(model, options.accumulates, options.extras),
        optimizer_(model, optimizer, options.mask_decay) {}

  void SetSparsity(const SparsityPattern& pattern) override {
    if (pattern.n == pattern_.n && pattern.m == pattern_.m) return;
    Prune(pattern);
  }
  void ClearGradients() override { gradients_.Clear(); }
  std::span<float> extras() override { return gradients_.extras(); }
  absl::Status ReduceGradients() override { return gradients_.Sum(communicator_); }
  double PassThroughQuantizers() override { return gradients_.PassThroughQuantizers(); }
  void Step(double learning_rate, double gradient_scale) override { optimizer_.Step(learning_rate, gradient_scale); }
  std::map<std::string, at::Tensor> State() const override;
  absl::Status Restore(const std::map<std::string, at::Tensor>& state, int64_t step,
                       const SparsityPattern& pattern) override;

 private:
  void Prune(const SparsityPattern& pattern) {
    pattern_ = pattern;
    model_->SetSparsity(pattern);
    model_->RefreshCompute();
  }

  LanguageModel* model_;
  Communicator& communicator_;
  Gradients gradients_;
  AdamW optimizer_;
  SparsityPattern pattern_;  // That SetSparsity gave last.
};

// The same on every rank.
std::map<std::string, at::Tensor> Replicated::State() const {
  std::map<std::string, at::Tensor> state = optimizer_.State();
  for (const Parameter& parameter : model_->parameters()) state[parameter.name] = parameter.master;
  return state;
}

absl::Status Replicated::Restore(const std::map<std::string, at::Tensor>& state, int64_t step,
                                 const SparsityPattern& pattern) {
  RETURN_IF_ERROR(optimizer_.LoadState(state));
  for (Parameter& parameter : model_->parameters()) {
    auto found = state.find(parameter.name);
    if (found == state.end() || found->second.sizes() != parameter.master.sizes())
      return absl::DataLossError(
          fmt::format("the checkpoint of step {} does not fit parameter '{}'", step, parameter.name));
    parameter.master.copy_(found->second);
  }
  Prune(pattern);
  return absl::OkStatus();
}

}  // namespace

std::unique_ptr<Strategy> MakeReplicated(LanguageModel* model, const v1::Optimizer& optimizer,
                                         const ReplicatedOptions& options, Communicator& communicator) {
  return std::make_unique<Replicated>(model, optimizer, options, communicator);
}

}  // namespace ridgeline
