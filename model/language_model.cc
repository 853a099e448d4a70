// SPDX-License-Identifier: Apache-2.0
#include "model/language_model.h"

#include <algorithm>
#include <utility>

#include "method/problems.h"
#include "method/resolved_spec.h"
#include "model/blueprint/cost.h"
#include "model/layers.h"
#include "model/weight_product.h"
#include "quant/autograd/torch_pch.h"
#include "quant/kernels/learned_scale.h"

namespace ridgeline {
absl::Status ValidateOptions(const ModelOptions& options, const std::vector<int64_t>& input_features) {
  if (const QuantizerSpec embedding = QuantizerOf(options.embedding); embedding.enabled())
    if (absl::Status status = ValidateQuantizerSpec(embedding, Side::kWeight); !status.ok()) return status;
  for (const auto& [spec, side] :
       {std::pair{&options.weight, Side::kWeight}, {&options.activation, Side::kActivation}}) {
    if (!spec->enabled()) continue;
    if (absl::Status status = ValidateQuantizerSpec(*spec, side); !status.ok()) return status;
    for (int64_t features : input_features)
      if (absl::Status status = ValidateFeatures(*spec, features); !status.ok()) return status;
  }
  return absl::OkStatus();
}

// Whether both operands of each product may stay rotated: (H x) . (H w) = x . w. A gradient that passes the input's
// quantizer as it is needs no rotation at all, and would now.
bool ProductsMayStayRotated(const ModelOptions& options) {
  const QuantizerSpec &weight = options.weight, &input = options.activation;
  return weight.quantizes() && input.quantizes() && weight.hadamard && input.hadamard && weight.block == input.block &&
         weight.hadamard_signs == input.hadamard_signs && !PassesGradient(input);
}

at::Tensor FirstMaster(const ParameterShape& shape, at::Generator* generator) {
  const FirstValues& first = shape.first_values;
  if (first.stddev == 0) return first.mean == 0 ? at::zeros(shape.sizes) : at::full(shape.sizes, first.mean);
  const at::Tensor master = at::empty(shape.sizes);
  if (first.own_seed)
    master.normal_(first.mean, first.stddev, at::detail::createCPUGenerator(*first.own_seed));
  else if (generator != nullptr)
    master.normal_(first.mean, first.stddev, *generator);
  return master;
}

LanguageModel::LanguageModel(const ModelOptions& options, const ParameterList& network, std::optional<int64_t> seed)
    : options_(options), ops_(OpsFor(options.device, options.kernels)), shapes_(WithLearned(network, quantizers())) {
  options_.weight.stays_rotated = options_.activation.stays_rotated = ProductsMayStayRotated(options);
  at::Generator generator = at::detail::createCPUGenerator(static_cast<uint64_t>(seed.value_or(0)));
  const std::vector<ParameterShards> shards = Shards();
  for (size_t i = 0; i < shapes_.size(); ++i) Add(shapes_[i], shards[i], seed ? &generator : nullptr);
  for (Parameter* weight : linears_)
    if (!IsSkipped(weight->name)) ConnectQuantizers(weight);
  if (seed) RefreshCompute();
}

// Random numbers are drawn for all rows on every rank, so that they are the same on any number of them.
void LanguageModel::Add(const ParameterShape& shape, const ParameterShards& shards, at::Generator* generator) {
  at::Tensor master = FirstMaster(shape, generator);
  RowRange own{0, shape.rows()};
  if (shards.is_shared()) {
    own = shards.by_rank[static_cast<size_t>(options_.shard_rank)];
    master = master.narrow(0, own.begin, own.count()).clone();
  }
  master = master.to(options_.device);
  parameters_.push_back({.name = shape.name,
                         .master = master,
                         .quantizer = {.spec = WeightQuantizerOf(shape, quantizers())},
                         .shape = &shape,
                         .ops = &ops_,
                         .sharing = {.own_rows = own, .is_shared = shards.is_shared()},
                         .step = {.decays = shape.is_weight_matrix()},
                         .of_quantizer = shape.of_quantizer()});
  parameters_.back().compute = ComputeOf(parameters_.back());
  if (shape.kind == ParameterKind::kLinear) linears_.push_back(&parameters_.back());
}

// Vectors are always computed in float32, and so is what quantizers learn.
at::Tensor LanguageModel::ComputeOf(const Parameter& parameter) const {
  const bool is_matrix = parameter.shape->is_weight_matrix();
  if (parameter.sharing.is_shared && is_matrix) return {};
  const at::ScalarType dtype = is_matrix ? options_.compute_dtype : at::kFloat;
  const bool own_memory = parameter.quantizer.spec.enabled() || dtype != at::kFloat;
  return own_memory ? at::empty_like(parameter.master, parameter.master.options().dtype(dtype)) : parameter.master;
}

std::vector<ParameterShards> LanguageModel::Shards() const {
  return ShardsOf(shapes_, quantizers(), options_.shard_ranks);
}

void LanguageModel::BecomeWhole() {
  options_.shard_rank = 0;
  options_.shard_ranks = 1;
  keeper_ = nullptr;
  for (Parameter& parameter : parameters_) {
    if (!parameter.sharing.is_shared) continue;
    parameter.sharing.is_shared = false;
    parameter.sharing.keeper = nullptr;
    parameter.sharing.own_rows = {0, parameter.shape->rows()};
    parameter.compute = ComputeOf(parameter);
    parameter.quantizer.saved.reset();
  }
  RefreshCompute();
}

void LanguageModel::ConnectQuantizers(Parameter* weight) {
  InputQuantizer& input =
      inputs_.try_emplace({weight->shape->block, weight->shape->input}, options_.activation, ops_).first->second;
  input.TakeParameters(weight->name, [this](const std::string& name) { return Named(name); });
  weight->input = &input;
  if (!options_.weight.learns_scale()) return;
  weight->quantizer.scale = Named(weight->name + ".scale");
  weight->quantizer.scale->step.smallest = kSmallestLearnedScale;
}

bool LanguageModel::IsSkipped(const std::string& name) const { return MatchesAny(options_.skip, name); }

Parameter* LanguageModel::Find(const std::string& name) {
  const auto found = std::find_if(parameters_.begin(), parameters_.end(),
                                  [&](const Parameter& parameter) { return parameter.name == name; });
  return found == parameters_.end() ? nullptr : &*found;
}

Parameter* LanguageModel::Named(const std::string& name) {
  Parameter* parameter = Find(name);
  TORCH_CHECK(parameter != nullptr, "the network's list has no parameter ", name);
  return parameter;
}

LanguageModel::SharedInput::SharedInput(at::Tensor x, std::initializer_list<const Parameter*> weights) {
  auto is_skipped = [](const Parameter* weight) { return weight->input == nullptr; };
  if (std::any_of(weights.begin(), weights.end(), is_skipped)) x_ = x;
  const auto quantized = std::find_if_not(weights.begin(), weights.end(), is_skipped);
  if (quantized != weights.end()) quantized_ = (*quantized)->input->Quantize(std::move(x));
}

at::Tensor LanguageModel::QuantizedInput(at::Tensor x, const Parameter* weight) {
  return weight->input == nullptr ? x : weight->input->Quantize(std::move(x));
}

at::Tensor LanguageModel::Logits(const at::Tensor& tokens, KvCache* cache) {
  at::NoGradGuard no_grad;
  const at::Tensor x = Embed(tokens, cache == nullptr ? 0 : cache->length);
  const at::Tensor hidden = Hidden(x, cache);
  return ProductWith(hidden.flatten(0, 1), head()).view({x.size(0), x.size(1), -1});
}

at::Tensor LanguageModel::NextLogits(const at::Tensor& tokens, KvCache* cache) {
  at::NoGradGuard no_grad;
  const at::Tensor hidden = Hidden(Embed(tokens, cache->length), cache);  // (B, T, C)
  return ProductWith(hidden.select(1, -1), head()).to(at::kFloat);
}

void LanguageModel::set_keeper(UnitKeeper* keeper) {
  keeper_ = keeper;
  for (Parameter& parameter : parameters_)
    if (parameter.sharing.is_shared) parameter.sharing.keeper = keeper;
}

at::Tensor LanguageModel::ThroughBlock(int64_t block, const Segment& run, const at::Tensor& x) {
  const auto computed = [&](const at::Tensor& input) {
    return options_.recompute_activations ? Recomputed(run, input) : run(input);
  };
  if (keeper_ == nullptr) return computed(x);
  UnitKeeper* const keeper = keeper_;
  keeper->BeforeForward(block);
  const at::Tensor input = CalledInBackward([keeper, block] { keeper->AfterBackward(block); }, x);
  at::Tensor y = CalledInBackward([keeper, block] { keeper->BeforeBackward(block); }, computed(input));
  keeper->AfterForward(block);
  return y;
}

void LanguageModel::RefreshCompute() {
  for (Parameter& parameter : parameters_) parameter.RefreshCompute();
}

void LanguageModel::SetHardRounding(bool hard) {
  for (Parameter* weight : linears_) {
    if (!weight->quantizer.spec.adds_noise() || weight->quantizer.spec.hard_rounding == hard) continue;
    weight->quantizer.spec.hard_rounding = hard;
    weight->RefreshCompute();
  }
}

void LanguageModel::SetSparsity(const SparsityPattern& pattern) {
  options_.weight.sparsity = pattern;
  for (Parameter* weight : linears_)
    if (!IsSkipped(weight->name)) weight->quantizer.spec.sparsity = pattern;
}

std::vector<std::string> LanguageModel::QuantizedNames() const {
  std::vector<std::string> names;
  for (const Parameter* weight : linears_)
    if (weight->quantizer.spec.enabled()) names.push_back(weight->name);
  return names;
}

std::vector<std::string> LanguageModel::LinearNames() const {
  std::vector<std::string> names;
  for (const Parameter* weight : linears_) names.push_back(weight->name);
  return names;
}

ModelCost LanguageModel::Cost() const { return CostOf(shapes_, quantizers()); }

LanguageModel::ErrorSums LanguageModel::WeightErrors() const {
  ErrorSums sums;
  for (const Parameter* weight : linears_) {
    if (!weight->quantizer.spec.enabled() || weight->master.numel() == 0) continue;
    const double weight_energy = weight->master.square().sum().item<double>();
    sums.error += weight->QuantizationErrorRatio() * weight_energy;
    sums.energy += weight_energy;
  }
  return sums;
}

}  // namespace ridgeline
