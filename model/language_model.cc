// SPDX-License-Identifier: Apache-2.0
#include "model/language_model.h"

#include "model/matrix_product.h"
#include "model/model_config.h"
#include "quant/autograd/fake_quantize.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
absl::Status ValidateOptions(const ModelOptions& options, const std::vector<int64_t>& input_features) {
  for (const QuantizerSpec* spec : {&options.weight, &options.activation}) {
    if (!spec->enabled()) continue;
    if (absl::Status status = ValidateQuantizerSpec(*spec); !status.ok()) return status;
    for (int64_t features : input_features)
      if (absl::Status status = ValidateFeatures(*spec, features); !status.ok()) return status;
  }
  return absl::OkStatus();
}

Parameter* LanguageModel::Add(const std::string& name, at::Tensor master, const QuantizerSpec& quantizer, bool decays,
                              at::ScalarType dtype) {
  parameters_.push_back({.name = name, .master = master, .quantizer = quantizer, .decays = decays});
  Parameter& parameter = parameters_.back();
  const bool own_memory = quantizer.enabled() || dtype != at::kFloat;
  parameter.compute = own_memory ? at::empty_like(master, master.options().dtype(dtype)) : master;
  return &parameter;
}

bool LanguageModel::IsSkipped(const std::string& name) const { return MatchesAny(options_.skip, name); }

Parameter* LanguageModel::AddLinear(const std::string& name, at::Tensor master) {
  Parameter* parameter =
      Add(name, master, IsSkipped(name) ? QuantizerSpec{} : options_.weight, /*decays=*/true, options_.compute_dtype);
  linears_.push_back(parameter);
  return parameter;
}

Parameter* LanguageModel::AddMatrix(const std::string& name, at::Tensor master) {
  return Add(name, master, {}, /*decays=*/true, options_.compute_dtype);
}

Parameter* LanguageModel::AddVector(const std::string& name, at::Tensor master) {
  return Add(name, master, {}, /*decays=*/false, at::kFloat);
}

const at::Tensor& LanguageModel::SharedInput::For(const Parameter* weight) {
  if (model_.IsSkipped(weight->name)) return x_;
  if (!quantized_.defined()) quantized_ = FakeQuantize(x_, model_.options_.activation);
  return quantized_;
}

at::Tensor LanguageModel::Logits(const at::Tensor& tokens, KvCache* cache) {
  at::NoGradGuard no_grad;
  const at::Tensor x = Embed(tokens, cache == nullptr ? 0 : cache->length);
  const at::Tensor hidden = Hidden(x, cache);
  return MatrixProduct(hidden.flatten(0, 1), head().compute.t()).view({x.size(0), x.size(1), -1});
}

void LanguageModel::RefreshCompute() {
  for (Parameter& parameter : parameters_) parameter.RefreshCompute();
}

void LanguageModel::SetHardRounding(bool hard) {
  for (Parameter* weight : linears_) {
    if (!weight->quantizer.adds_noise() || weight->quantizer.hard_rounding == hard) continue;
    weight->quantizer.hard_rounding = hard;
    weight->RefreshCompute();
  }
}

void LanguageModel::SetSparsity(const SparsityPattern& pattern) {
  for (Parameter* weight : linears_)
    if (!IsSkipped(weight->name)) weight->quantizer.sparsity = pattern;
}

std::vector<std::string> LanguageModel::QuantizedNames() const {
  std::vector<std::string> names;
  for (const Parameter* weight : linears_)
    if (weight->quantizer.enabled()) names.push_back(weight->name);
  return names;
}

std::vector<std::string> LanguageModel::LinearNames() const {
  std::vector<std::string> names;
  for (const Parameter* weight : linears_) names.push_back(weight->name);
  return names;
}

ModelCost LanguageModel::Cost() const {
  std::vector<LinearCost> linears;
  int64_t elements = 0, linear_elements = 0;
  for (const Parameter& parameter : parameters_) elements += parameter.master.numel();
  for (const Parameter* weight : linears_) {
    linears.push_back({.name = weight->name,
                       .rows = weight->master.size(0),
                       .columns = weight->master.size(1),
                       .weight = weight->quantizer,
                       .activation = IsSkipped(weight->name) ? QuantizerSpec{} : options_.activation});
    linear_elements += weight->master.numel();
  }
  return CostOfModel(linears, elements - linear_elements, head().master.numel());
}

double LanguageModel::WeightErrorRatio() const {
  double error = 0, energy = 0;
  for (const Parameter* weight : linears_) {
    if (!weight->quantizer.enabled()) continue;
    const double weight_energy = weight->master.square().sum().item<double>();
    error += QuantErrorRatio(weight->master, weight->quantizer) * weight_energy;
    energy += weight_energy;
  }
  return energy > 0 ? error / energy : 0;
}

}  // namespace ridgeline
