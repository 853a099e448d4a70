// SPDX-License-Identifier: Apache-2.0
#include "worker/parallel/replicated.h"

#include <utility>

#include "common/status_macros.h"
#include "quant/autograd/torch_pch.h"
#include "worker/parallel/gradient_norm.h"
#include "worker/parallel/gradients.h"
#include "worker/parallel/optimizer.h"
#include "worker/parallel/runs_of_rows.h"

namespace ridgeline {
namespace {

std::vector<Parameter*> PointersTo(LanguageModel* model) {
  std::vector<Parameter*> parameters;
  for (Parameter& parameter : model->parameters()) parameters.push_back(&parameter);
  return parameters;
}

class Replicated : public Strategy {
 public:
  Replicated(LanguageModel* model, const v1::Optimizer& optimizer, const ReplicatedOptions& options,
             Communicator& communicator)
      : model_(model),
        communicator_(communicator),
        runs_(RunsOfRows(*model)),
        gradients_(PointersTo(model), options.sums, options.extras),
        optimizer_(model, optimizer, options.mask_decay) {}

  void SetSparsity(const SparsityPattern& pattern) override {
    if (pattern.n == pattern_.n && pattern.m == pattern_.m) return;
    Prune(pattern);
  }
  void ClearGradients() override { gradients_.Clear(); }
  void EndPass() override { gradients_.EndPass(); }
  void AddToExtra(size_t place, const at::Tensor& value) override { gradients_.AddToExtra(place, value); }
  void AddToExtra(size_t place, float value) override { gradients_.AddToExtra(place, value); }
  absl::Status ReduceGradients() override { return gradients_.Sum(communicator_); }
  absl::StatusOr<StepSums> PassThroughQuantizers() override {
    const GradientSquares squares = ridgeline::PassThroughQuantizers(model_, runs_);
    RETURN_IF_ERROR(communicator_.Synchronize());
    return ReadSums(squares.whole, gradients_.extras());
  }
  void Step(double learning_rate, double gradient_scale) override { optimizer_.Step(learning_rate, gradient_scale); }
  std::vector<StateShard> State() const override;
  absl::Status Restore(StateSource& source, const SparsityPattern& pattern) override;
  StrategyMemory Memory() const override { return {gradients_.bytes(), optimizer_.bytes()}; }
  absl::StatusOr<double> WeightErrorRatio() override {
    return communicator_.rank() == 0 ? model_->WeightErrorRatio() : 0;
  }
  absl::Status AssembleOnRoot() override { return absl::OkStatus(); }

 private:
  void Prune(const SparsityPattern& pattern) {
    pattern_ = pattern;
    model_->SetSparsity(pattern);
    model_->RefreshCompute();
  }

  LanguageModel* model_;
  Communicator& communicator_;
  const std::vector<RunOfRows> runs_;
  Gradients gradients_;
  AdamW optimizer_;
  SparsityPattern pattern_;  // That SetSparsity gave last.
};

// Every rank has all of it, and gives as many rows as the others. Tensors that are too short for that are rank 0's.
std::vector<StateShard> Replicated::State() const {
  std::vector<StateShard> shards;
  const int64_t rank = communicator_.rank(), ranks = communicator_.size();
  auto add = [&](const std::string& name, const at::Tensor& tensor) {
    StateShard shard{.name = name, .sizes = tensor.sizes().vec(), .rows = tensor};
    const int64_t rows = tensor.dim() == 0 ? 1 : tensor.size(0);
    if (rows >= ranks && tensor.dim() > 0) {
      shard.begin_row = rows * rank / ranks;
      shard.rows = tensor.narrow(0, shard.begin_row, rows * (rank + 1) / ranks - shard.begin_row);
    } else if (rank != 0) {
      return;
    }
    shards.push_back(std::move(shard));
  };
  for (const auto& [name, tensor] : optimizer_.State()) add(name, tensor);
  for (const Parameter& parameter : model_->parameters()) add(parameter.name, parameter.master);
  return shards;
}

absl::Status Replicated::Restore(StateSource& source, const SparsityPattern& pattern) {
  for (const auto& [name, tensor] : optimizer_.State())
    RETURN_IF_ERROR(RestoreRows(source, name, tensor.sizes().vec(), 0, tensor));
  for (Parameter& parameter : model_->parameters())
    RETURN_IF_ERROR(RestoreRows(source, parameter.name, parameter.master.sizes().vec(), 0, parameter.master));
  Prune(pattern);
  return absl::OkStatus();
}

}  // namespace

std::unique_ptr<Strategy> MakeReplicated(LanguageModel* model, const v1::Optimizer& optimizer,
                                         const ReplicatedOptions& options, Communicator& communicator) {
  return std::make_unique<Replicated>(model, optimizer, options, communicator);
}

}  // namespace ridgeline
