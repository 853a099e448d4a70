// SPDX-License-Identifier: Apache-2.0
#include "worker/train/model_from_recipe.h"

#include "common/status_macros.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

absl::StatusOr<QuantizerSpec> SpecFromRecipe(const v1::Quant& quant, const v1::TensorQuant& tensor) {
  QuantizerSpec spec;
  spec.estimator = quant.estimator();
  ASSIGN_OR_RETURN(spec.format, ParseFormat(tensor.format()));
  ASSIGN_OR_RETURN(spec.scheme, ParseScheme(tensor.scheme()));
  ASSIGN_OR_RETURN(spec.grid_gradient, ParseGridGradient(quant.grid_gradient()));
  ASSIGN_OR_RETURN(spec.grid, ParseGridStatistics(quant.grid()));
  spec.hadamard = quant.hadamard();
  spec.block = tensor.block();
  spec.lambda = quant.lambda();
  if (spec.enabled()) RETURN_IF_ERROR(ValidateQuantizerSpec(spec));
  return spec.enabled() ? spec : QuantizerSpec{};
}

bool IsQuantized(const v1::Quant& quant, const v1::TensorQuant& tensor) {
  return quant.estimator() != "none" && tensor.format() != "none";
}

}  // namespace

absl::StatusOr<GptConfig> GptConfigFromRecipe(const v1::Recipe& recipe, int64_t vocab_size) {
  GptConfig config;
  if (recipe.model().name() != "gpt") {
    ASSIGN_OR_RETURN(config, GptShape(recipe.model().name()));
  }
  if (recipe.model().has_n_layers()) config.n_layers = recipe.model().n_layers();
  if (recipe.model().has_dim()) config.dim = recipe.model().dim();
  if (recipe.model().has_n_heads()) config.n_heads = recipe.model().n_heads();
  config.vocab_size = vocab_size;
  config.seq_len = recipe.training().seq_len();
  ASSIGN_OR_RETURN(config.weight, SpecFromRecipe(recipe.quant(), recipe.quant().weight()));
  ASSIGN_OR_RETURN(config.activation, SpecFromRecipe(recipe.quant(), recipe.quant().activation()));
  return config;
}

std::string ModelLabel(const v1::Recipe& recipe) {
  const v1::Model& model = recipe.model();
  std::string sizes;
  auto add = [&sizes](const char* key, int value) { sizes += fmt::format("{}{}={}", sizes.empty() ? "" : " ", key, value); };
  if (model.has_n_layers()) add("n_layers", model.n_layers());
  if (model.has_dim()) add("dim", model.dim());
  if (model.has_n_heads()) add("n_heads", model.n_heads());
  return sizes.empty() ? model.name() : fmt::format("{}({})", model.name(), sizes);
}

v1::FrontierPoint PointFromRecipe(const v1::Recipe& recipe, const ModelCost& cost) {
  v1::FrontierPoint point;
  const v1::Quant& quant = recipe.quant();
  point.set_name(recipe.name());
  point.set_model(ModelLabel(recipe));
  point.set_estimator(quant.estimator());
  point.set_weight_format("none");
  point.set_activation_format("none");
  if (IsQuantized(quant, quant.weight())) {
    point.set_weight_format(quant.weight().format());
    point.set_weight_scheme(quant.weight().scheme());
    point.set_weight_block(quant.weight().block());
  }
  if (IsQuantized(quant, quant.activation())) {
    point.set_activation_format(quant.activation().format());
    point.set_activation_scheme(quant.activation().scheme());
    point.set_activation_block(quant.activation().block());
  }
  const bool quantizes = IsQuantized(quant, quant.weight()) || IsQuantized(quant, quant.activation());
  point.set_hadamard(quantizes && quant.hadamard());
  point.set_sparsity("dense");
  point.set_seed(recipe.training().seed());
  point.set_storage_bytes(cost.storage_bytes);
  point.set_bits_per_element(cost.bits_per_element);
  point.set_energy_proxy(cost.energy_proxy);
  return point;
}

}  // namespace ridgeline
