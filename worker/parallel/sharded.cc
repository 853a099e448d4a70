// SPDX-License-Identifier: Apache-2.0
#include "worker/parallel/sharded.h"

#include <deque>
#include <exception>
#include <numeric>
#include <optional>
#include <string>
#include <utility>

#include "common/status_macros.h"
#include "quant/autograd/torch_pch.h"
#include "worker/parallel/gather_whole.h"
#include "worker/parallel/gradient_norm.h"
#include "worker/parallel/gradients.h"
#include "worker/parallel/optimizer.h"
#include "worker/parallel/pass_script.h"
#include "worker/parallel/runs_of_rows.h"
#include "worker/parallel/status_error.h"
#include "worker/parallel/tensor_span.h"
#include "worker/parallel/unit_gradients.h"
#include "worker/parallel/unit_weights.h"

namespace ridgeline {
namespace {

struct Unit {
  UnitWeights weights;
  UnitGradients gradients;
};

std::vector<Parameter*> WholeParameters(LanguageModel* model) {
  std::vector<Parameter*> whole;
  for (Parameter& parameter : model->parameters())
    if (!parameter.sharing.is_shared) whole.push_back(&parameter);
  return whole;
}

bool IsMatrix(const Parameter& parameter) { return parameter.sharing.is_shared && !parameter.of_quantizer; }

class Sharded final : public Strategy, public UnitKeeper {
 public:
  Sharded(LanguageModel* model, const v1::Optimizer& optimizer, const ShardedOptions& options,
          const ShardedRanks& ranks);
  ~Sharded() override;

  void SetSparsity(const SparsityPattern& pattern) override;
  void ClearGradients() override;
  void EndPass() override { whole_gradients_.EndPass(); }
  void AddToExtra(size_t place, const at::Tensor& value) override { whole_gradients_.AddToExtra(place, value); }
  void AddToExtra(size_t place, float value) override { whole_gradients_.AddToExtra(place, value); }
  absl::Status ReduceGradients() override;
  absl::StatusOr<StepSums> PassThroughQuantizers() override;
  void Step(double learning_rate, double gradient_scale) override { optimizer_.Step(learning_rate, gradient_scale); }
  std::vector<StateShard> State() const override;
  absl::Status Restore(StateSource& source, const SparsityPattern& pattern) override;
  StrategyMemory Memory() const override {
    return {whole_gradients_.bytes() + static_cast<int64_t>(flat_sums_.nbytes()), optimizer_.bytes()};
  }
  absl::StatusOr<double> WeightErrorRatio() override;
  absl::Status AssembleOnRoot() override;

  void BeginPass(Pass pass) override;
  void BeforeForward(int64_t unit) override { Called({PassCall::Kind::kBeforeForward, unit}); }
  void AfterForward(int64_t unit) override { Called({PassCall::Kind::kAfterForward, unit}); }
  void BeforeBackward(int64_t unit) override { Called({PassCall::Kind::kBeforeBackward, unit}); }
  void AfterBackward(int64_t unit) override { Called({PassCall::Kind::kAfterBackward, unit}); }
  void Proceed() override;
  void FinishPass() override;

 private:
  void AddSums(const ShardedOptions& options);
  void AddUnits(const ShardedOptions& options);
  Unit& UnitOf(int64_t unit) { return units_[static_cast<size_t>(unit + 1)]; }
  bool StaysAfterForward(int64_t unit) const;
  void Called(const PassCall& call);
  absl::Status Do(const PassCall& call);
  absl::Status MakeWeightsBeThere(int64_t unit);
  absl::Status SendGradients(int64_t unit);
  absl::Status FinishGradients();
  absl::Status SumOverCopies();
  void Prune(const SparsityPattern& pattern);
  void AddState(const std::string& name, const Parameter& parameter, const at::Tensor& rows,
                std::vector<StateShard>* shards) const;

  LanguageModel* const model_;
  const ShardedRanks ranks_;
  const bool reshards_;
  const std::vector<ParameterShards> shards_;  // In the order of the model's parameters.
  const std::vector<RunOfRows> runs_;
  Gradients whole_gradients_;
  AdamW optimizer_;
  at::Tensor flat_sums_;          // The gradients of all shared matrices' rows that this rank has.
  std::vector<at::Tensor> sums_;  // Views of it, by parameter; undefined for others.
  std::deque<Unit> units_;        // The outer one, then the blocks.
  SparsityPattern pattern_;       // That SetSparsity gave last.

  Pass pass_ = Pass::kForward;
  std::vector<PassCall> script_;  // Of the pass that began last.
  size_t next_call_ = 0;          // Of it.
  std::vector<int64_t> sending_;  // Units whose gradients are under way, in their order.
  uint64_t sent_ = 0;             // Units' gradients since the last step.
  absl::Status failed_;           // What a pass could not exchange. Nothing is exchanged after it.
};

Sharded::Sharded(LanguageModel* model, const v1::Optimizer& optimizer, const ShardedOptions& options,
                 const ShardedRanks& ranks)
    : model_(model),
      ranks_(ranks),
      reshards_(options.reshard_after_forward),
      shards_(model->Shards()),
      runs_(RunsOfRows(*model)),
      whole_gradients_(WholeParameters(model), options.sums, options.extras),
      optimizer_(model, optimizer, options.mask_decay) {
  AddSums(options);
  AddUnits(options);
  model->set_keeper(this);
}

Sharded::~Sharded() {
  if (model_->keeper() == this) model_->set_keeper(nullptr);
  for (Parameter& parameter : model_->parameters()) parameter.gradient.sum.reset();
}

void Sharded::AddSums(const ShardedOptions& options) {
  std::deque<Parameter>& parameters = model_->parameters();
  int64_t numbers = 0;
  for (size_t i = 0; i < parameters.size(); ++i)
    if (IsMatrix(parameters[i])) numbers += parameters[i].master.numel();
  flat_sums_ = at::zeros({numbers}, at::TensorOptions(options.sums == GradientSums::kFloat64 ? at::kDouble : at::kFloat)
                                        .device(model_->options().device));
  sums_.resize(parameters.size());
  int64_t offset = 0;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const at::Tensor& master = parameters[i].master;
    if (IsMatrix(parameters[i])) {
      sums_[i] = flat_sums_.narrow(0, offset, master.numel()).view_as(master);
      offset += master.numel();
    } else if (parameters[i].sharing.is_shared) {
      sums_[i] = at::zeros_like(master);  // A learned scale, whose gradient its matrix' quantizer makes.
    }
  }
}

void Sharded::AddUnits(const ShardedOptions& options) {
  std::deque<Parameter>& parameters = model_->parameters();
  const at::TensorOptions numbers = at::TensorOptions(model_->options().compute_dtype).device(model_->options().device);
  // As where each rank holds everything: float32 is what sums of float64 are made of.
  const at::TensorOptions gradients = options.sums == GradientSums::kFloat64 ? numbers.dtype(at::kFloat) : numbers;
  for (int64_t unit = kOuterUnit; unit < model_->block_count(); ++unit) {
    std::vector<SharedMatrix> matrices;
    std::vector<at::Tensor> sums;
    for (size_t i = 0; i < parameters.size(); ++i) {
      if (!IsMatrix(parameters[i]) || parameters[i].shape->block != unit) continue;
      matrices.push_back({&parameters[i], shards_[i].by_rank});
      sums.push_back(sums_[i]);
    }
    units_.push_back({UnitWeights(matrices, numbers, *ranks_.shard),
                      UnitGradients(matrices, sums, gradients, options.gradient_dtype, model_->ops(), *ranks_.shard)});
  }
}

void Sharded::SetSparsity(const SparsityPattern& pattern) {
  if (pattern.n == pattern_.n && pattern.m == pattern_.m) return;
  Prune(pattern);
}

void Sharded::Prune(const SparsityPattern& pattern) {
  pattern_ = pattern;
  model_->SetSparsity(pattern);
  model_->RefreshCompute();
}

void Sharded::ClearGradients() {
  whole_gradients_.Clear();
  flat_sums_.zero_();
  sent_ = 0;
  for (Parameter& parameter : model_->parameters())
    if (parameter.sharing.is_shared) parameter.gradient.sum.reset();
}

absl::Status Sharded::ReduceGradients() {
  RETURN_IF_ERROR(failed_);
  if (ranks_.replicate != nullptr) RETURN_IF_ERROR(SumOverCopies());
  std::deque<Parameter>& parameters = model_->parameters();
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (!parameters[i].sharing.is_shared) continue;
    parameters[i].gradient.sum = sums_[i].to(at::kFloat);
    parameters[i].gradient.is_empty = parameters[i].of_quantizer;
  }
  return whole_gradients_.Sum(*ranks_.all);
}

absl::Status Sharded::SumOverCopies() {
  constexpr char kWhat[] = "gradients of the copies";
  if (flat_sums_.scalar_type() == at::kDouble) return ranks_.replicate->AllReduceSum(SpanOf<double>(flat_sums_), kWhat);
  return ranks_.replicate->AllReduceSum(SpanOf<float>(flat_sums_), kWhat);
}

absl::StatusOr<StepSums> Sharded::PassThroughQuantizers() {
  const GradientSquares squares = ridgeline::PassThroughQuantizers(model_, runs_);
  RETURN_IF_ERROR(ranks_.shard->AllReduceSum(SpanOf<double>(squares.shared), "gradient norm"));
  RETURN_IF_ERROR(ranks_.all->Synchronize());
  return ReadSums(squares.shared + squares.whole, whole_gradients_.extras());
}

void Sharded::AddState(const std::string& name, const Parameter& parameter, const at::Tensor& rows,
                       std::vector<StateShard>* shards) const {
  const bool is_mine = parameter.sharing.is_shared ? ranks_.all->rank() < ranks_.shard->size() && rows.size(0) > 0
                                                   : ranks_.all->rank() == 0;
  if (!is_mine) return;
  shards->push_back(
      {.name = name, .sizes = parameter.shape->sizes, .begin_row = parameter.sharing.own_rows.begin, .rows = rows});
}

// The ranks of the first copy give it.
std::vector<StateShard> Sharded::State() const {
  const std::map<std::string, at::Tensor> optimizer = optimizer_.State();
  std::vector<StateShard> shards;
  for (const Parameter& parameter : model_->parameters()) {
    AddState(parameter.name, parameter, parameter.master, &shards);
    for (const char* moment : {"optimizer.m.", "optimizer.v."})
      AddState(moment + parameter.name, parameter, optimizer.at(moment + parameter.name), &shards);
  }
  if (ranks_.all->rank() == 0) shards.push_back({.name = "optimizer.steps", .rows = optimizer.at("optimizer.steps")});
  return shards;
}

absl::Status Sharded::Restore(StateSource& source, const SparsityPattern& pattern) {
  const std::map<std::string, at::Tensor> optimizer = optimizer_.State();
  RETURN_IF_ERROR(RestoreRows(source, "optimizer.steps", {}, 0, optimizer.at("optimizer.steps")));
  for (Parameter& parameter : model_->parameters()) {
    auto restore = [&](const std::string& name, const at::Tensor& rows) {
      return RestoreRows(source, name, parameter.shape->sizes, parameter.sharing.own_rows.begin, rows);
    };
    RETURN_IF_ERROR(restore(parameter.name, parameter.master));
    for (const char* moment : {"optimizer.m.", "optimizer.v."})
      RETURN_IF_ERROR(restore(moment + parameter.name, optimizer.at(moment + parameter.name)));
  }
  Prune(pattern);
  return absl::OkStatus();
}

absl::StatusOr<double> Sharded::WeightErrorRatio() {
  const LanguageModel::ErrorSums own = model_->WeightErrors();
  std::array<double, 2> sums = {own.error, own.energy};
  RETURN_IF_ERROR(ranks_.shard->AllReduceSum(std::span<double>(sums), "quantization error"));
  return LanguageModel::ErrorSums{sums[0], sums[1]}.ratio();
}

absl::Status Sharded::AssembleOnRoot() {
  model_->set_keeper(nullptr);
  return ranks_.all->rank() < ranks_.shard->size() ? GatherWhole(model_, shards_, *ranks_.shard) : absl::OkStatus();
}

void Sharded::BeginPass(Pass pass) {
  pass_ = pass;
  script_ = ScriptOf(pass, model_->block_count());
  next_call_ = 0;
}

void Sharded::Called(const PassCall& call) {
  TORCH_CHECK(next_call_ < script_.size() && script_[next_call_] == call, "a pass through unit ", call.unit,
              " that the strategy does not expect");
  ++next_call_;
  failed_.Update(Do(call));
  ThrowIfError(failed_);
}

// Only where exchanging has not failed, which ends it for the peers, too.
void Sharded::FinishPass() {
  while (failed_.ok() && next_call_ < script_.size()) {
    try {
      failed_ = Do(script_[next_call_++]);
    } catch (const std::exception& error) {
      failed_ = absl::InternalError(error.what());
    }
  }
  next_call_ = script_.size();
}

void Sharded::Proceed() {
  for (Unit& unit : units_) unit.weights.Poll();
  for (const int64_t unit : sending_) UnitOf(unit).gradients.Poll();
}

absl::Status Sharded::Do(const PassCall& call) {
  Unit& unit = UnitOf(call.unit);
  switch (call.kind) {
    case PassCall::Kind::kBeforeForward:
      return MakeWeightsBeThere(call.unit);
    case PassCall::Kind::kAfterForward:
      if (!StaysAfterForward(call.unit)) unit.weights.Release();
      return absl::OkStatus();
    case PassCall::Kind::kBeforeBackward:
      RETURN_IF_ERROR(MakeWeightsBeThere(call.unit));
      unit.gradients.Allocate();
      return absl::OkStatus();
    case PassCall::Kind::kAfterBackward:
      unit.weights.Release();
      return SendGradients(call.unit);
  }
  return absl::OkStatus();
}

// The outer unit's forward pass ends with the head, and the last block's where its backward pass begins.
bool Sharded::StaysAfterForward(int64_t unit) const {
  return pass_ == Pass::kTraining && unit != kOuterUnit && (!reshards_ || unit == model_->block_count() - 1);
}

// The next unit that is not there comes while this one is computed with, and no other.
absl::Status Sharded::MakeWeightsBeThere(int64_t unit) {
  RETURN_IF_ERROR(UnitOf(unit).weights.Start());
  for (size_t i = next_call_; i < script_.size(); ++i) {
    UnitWeights& weights = UnitOf(script_[i].unit).weights;
    if (!script_[i].needs_weights() || script_[i].unit == unit || weights.is_there()) continue;
    RETURN_IF_ERROR(weights.Start());
    break;
  }
  return UnitOf(unit).weights.Finish();
}

// Those of the unit before are waited for meanwhile; at the end of the pass, all.
absl::Status Sharded::SendGradients(int64_t unit) {
  const uint64_t rank = static_cast<uint64_t>(ranks_.all->rank()),
                 step = static_cast<uint64_t>(optimizer_.steps_taken());
  RETURN_IF_ERROR(UnitOf(unit).gradients.Start(((step << 20 | sent_++) << 16 | rank) << 16));
  sending_.push_back(unit);
  while (sending_.size() > (unit == kOuterUnit ? 0 : 1)) RETURN_IF_ERROR(FinishGradients());
  return absl::OkStatus();
}

absl::Status Sharded::FinishGradients() {
  const int64_t unit = sending_.front();
  sending_.erase(sending_.begin());
  return UnitOf(unit).gradients.Finish();
}

}  // namespace

std::unique_ptr<Strategy> MakeSharded(LanguageModel* model, const v1::Optimizer& optimizer,
                                      const ShardedOptions& options, const ShardedRanks& ranks) {
  return std::make_unique<Sharded>(model, optimizer, options, ranks);
}

}  // namespace ridgeline
