// SPDX-License-Identifier: Apache-2.0
#include "worker/train/model_from_recipe.h"

#include <cstdio>
#include <filesystem>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "model/gemma3.h"
#include "model/gpt.h"
#include "model/load_model.h"
#include "weights/model_store.h"

namespace ridgeline {
namespace {

absl::StatusOr<QuantizerSpec> SpecFromRecipe(const v1::Quant& quant, const v1::TensorQuant& tensor) {
  QuantizerSpec spec;
  spec.estimator = quant.estimator();
  ASSIGN_OR_RETURN(spec.format, ParseFormat(tensor.format()));
  ASSIGN_OR_RETURN(spec.scheme, ParseScheme(tensor.scheme()));
  ASSIGN_OR_RETURN(spec.grid_gradient, ParseGridGradient(quant.grid_gradient()));
  ASSIGN_OR_RETURN(spec.grid, ParseGridStatistics(quant.grid()));
  if (tensor.has_granularity()) {
    ASSIGN_OR_RETURN(spec.granularity, ParseGranularity(tensor.granularity()));
  }
  spec.hadamard = quant.hadamard();
  spec.block = tensor.block();
  spec.lambda = quant.lambda();
  spec.fit_detached = quant.fit_gradient() == "detached";
  spec.trust = quant.trust();
  if (spec.enabled()) RETURN_IF_ERROR(ValidateQuantizerSpec(spec));
  return spec.enabled() ? spec : QuantizerSpec{};
}

bool IsQuantized(const v1::Quant& quant, const v1::TensorQuant& tensor) {
  return quant.estimator() != "none" && tensor.format() != "none";
}

absl::StatusOr<ModelOptions> OptionsFromRecipe(const v1::Recipe& recipe) {
  ModelOptions options;
  ASSIGN_OR_RETURN(options.weight, SpecFromRecipe(recipe.quant(), recipe.quant().weight()));
  ASSIGN_OR_RETURN(options.activation, SpecFromRecipe(recipe.quant(), recipe.quant().activation()));
  ASSIGN_OR_RETURN(options.weight.sparsity, ParseSparsityPattern(recipe.sparsity().pattern()));
  options.skip = {recipe.quant().skip().begin(), recipe.quant().skip().end()};
  options.compute_dtype = recipe.training().dtype() == "bfloat16" ? at::kBFloat16 : at::kFloat;
  options.recompute_activations = recipe.activation_checkpoint().mode() == "full";
  return options;
}

absl::StatusOr<GptConfig> GptConfigFromRecipe(const v1::Recipe& recipe, int64_t vocab_size) {
  GptConfig config;
  const v1::Model& model = recipe.model();
  if (model.name() != "gpt") {
    ASSIGN_OR_RETURN(config, GptShape(model.name()));
  }
  if (model.has_n_layers()) config.n_layers = model.n_layers();
  if (model.has_dim()) config.dim = model.dim();
  if (model.has_n_heads()) config.n_heads = model.n_heads();
  if (config.vocab_size == 0) {  // A shape without a vocabulary of its own has no positions of its own either.
    config.vocab_size = vocab_size;
    config.seq_len = recipe.training().seq_len();
  }
  return config;
}

absl::StatusOr<std::unique_ptr<LanguageModel>> RandomModel(const v1::Recipe& recipe, const ModelOptions& options,
                                                           int64_t vocab_size) {
  const int64_t seed = recipe.training().seed();
  if (recipe.model().name().starts_with("gemma3-")) {
    ASSIGN_OR_RETURN(Gemma3Config config, Gemma3Shape(recipe.model().name()));
    return Gemma3::Create(config, options, seed);
  }
  ASSIGN_OR_RETURN(GptConfig config, GptConfigFromRecipe(recipe, vocab_size));
  return Gpt::Create(config, options, seed);
}

absl::Status CheckFits(const v1::Recipe& recipe, const LanguageModel& model, int64_t vocab_size) {
  if (vocab_size > model.vocab_size())
    return absl::InvalidArgumentError(fmt::format(
        "the dataset's tokenizer has {} tokens, the model {}: prepare the text with the model's own tokenizer "
        "(ridgeline data prepare --tokenizer)", vocab_size, model.vocab_size()));
  if (recipe.training().seq_len() > model.max_length())
    return absl::InvalidArgumentError(fmt::format("training.seq_len {} is longer than the model's {} positions",
                                                  recipe.training().seq_len(), model.max_length()));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SparsityPattern> ParseSparsityPattern(const std::string& text) {
  SparsityPattern pattern;
  if (text.empty() || text == "dense") return pattern;
  char rest = 0;
  if (std::sscanf(text.c_str(), "%d:%d%c", &pattern.n, &pattern.m, &rest) != 2 || pattern.n < 1 ||
      pattern.n > pattern.m || pattern.m > kLargestSparsityGroup)
    return absl::InvalidArgumentError(
        fmt::format("sparsity.pattern '{}' is neither dense nor N:M with N <= M <= {}", text, kLargestSparsityGroup));
  return pattern;
}

absl::StatusOr<std::unique_ptr<LanguageModel>> ModelFromRecipe(const v1::Recipe& recipe, int64_t vocab_size) {
  ASSIGN_OR_RETURN(ModelOptions options, OptionsFromRecipe(recipe));
  std::unique_ptr<LanguageModel> model;
  if (recipe.model().has_path()) {
    ASSIGN_OR_RETURN(std::string path, ResolveModelPath(recipe.model().path()));
    ASSIGN_OR_RETURN(model, LoadModel(path, options));
  } else {
    ASSIGN_OR_RETURN(model, RandomModel(recipe, options, vocab_size));
  }
  RETURN_IF_ERROR(CheckFits(recipe, *model, vocab_size));
  return model;
}

absl::StatusOr<std::unique_ptr<LanguageModel>> TeacherFromRecipe(const v1::Recipe& recipe) {
  ASSIGN_OR_RETURN(ModelOptions options, OptionsFromRecipe(recipe));
  ASSIGN_OR_RETURN(std::string path, ResolveModelPath(recipe.model().path()));
  return LoadModel(path, {.compute_dtype = options.compute_dtype});
}

std::string ModelLabel(const v1::Recipe& recipe) {
  const v1::Model& model = recipe.model();
  if (model.has_path()) {
    std::filesystem::path path(model.path());
    return (path.has_filename() ? path : path.parent_path()).filename().string();
  }
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
  point.set_sparsity(recipe.sparsity().pattern());
  point.set_seed(recipe.training().seed());
  point.set_storage_bytes(cost.storage_bytes);
  point.set_bits_per_element(cost.bits_per_element);
  point.set_energy_proxy(cost.energy_proxy);
  return point;
}

}  // namespace ridgeline
