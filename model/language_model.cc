// SPDX-License-Identifier: Apache-2.0
#include "model/language_model.h"

#include <algorithm>
#include <utility>

#include "method/problems.h"
#include "method/resolved_spec.h"
#include "model/matrix_product.h"
#include "model/model_config.h"
#include "quant/autograd/torch_pch.h"
#include "quant/kernels/learned_scale.h"

namespace ridgeline {
absl::Status ValidateOptions(const ModelOptions& options, const std::vector<int64_t>& input_features) {
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

LanguageModel::LanguageModel(const ModelOptions& options) : options_(options) {
  options_.weight.stays_rotated = options_.activation.stays_rotated = ProductsMayStayRotated(options);
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

Parameter* LanguageModel::AddOfQuantizer(const std::string& name, at::Tensor master) {
  Parameter* parameter = AddVector(name, master);
  parameter->of_quantizer = true;
  return parameter;
}

Parameter* LanguageModel::AddScaleOf(const std::string& weight_name, int64_t rows) {
  if (!options_.weight.learns_scale()) return nullptr;
  const int64_t scales = options_.weight.granularity == Granularity::kRow ? rows : 1;
  Parameter* scale = AddOfQuantizer(weight_name + ".scale", at::zeros({scales, 1}));
  scale->smallest = kSmallestLearnedScale;
  return scale;
}

InputQuantizer* LanguageModel::AddInput() { return &inputs_.emplace_back(options_.activation); }

Parameter* LanguageModel::AddLinear(const std::string& name, at::Tensor master, InputQuantizer* input) {
  Parameter *scale = nullptr, *parameter = nullptr;
  if (IsSkipped(name)) {
    parameter = AddMatrix(name, master);
  } else {
    if (input == nullptr) input = AddInput();
    input->AddParameters([&](const std::string& suffix, const at::Tensor& numbers) {
      return AddOfQuantizer(name + "." + suffix, numbers);
    });
    scale = AddScaleOf(name, master.size(0));
    parameter = Add(name, master, options_.weight, /*decays=*/true, options_.compute_dtype);
    parameter->input = input;
    parameter->scale = scale;
  }
  linears_.push_back(parameter);
  return parameter;
}

Parameter* LanguageModel::AddMatrix(const std::string& name, at::Tensor master) {
  return Add(name, master, {}, /*decays=*/true, options_.compute_dtype);
}

Parameter* LanguageModel::AddVector(const std::string& name, at::Tensor master) {
  return Add(name, master, {}, /*decays=*/false, at::kFloat);
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
    linear_elements += weight->master.numel() + (weight->scale == nullptr ? 0 : weight->scale->master.numel());
  }
  return CostOfModel(linears, elements - linear_elements, head().master.numel());
}

double LanguageModel::WeightErrorRatio() const {
  double error = 0, energy = 0;
  for (const Parameter* weight : linears_) {
    if (!weight->quantizer.enabled()) continue;
    const double weight_energy = weight->master.square().sum().item<double>();
    error += weight->QuantizationErrorRatio() * weight_energy;
    energy += weight_energy;
  }
  return energy > 0 ? error / energy : 0;
}

}  // namespace ridgeline
