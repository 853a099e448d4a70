// SPDX-License-Identifier: Apache-2.0
#include "plan/network.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "method/problems.h"
#include "model/gguf_image.h"
#include "model/model_files.h"
#include "recipes/model_shapes.h"
#include "recipes/tensor_quant.h"
#include "weights/model_store.h"

namespace ridgeline {
namespace {

absl::StatusOr<QuantizerSpec> SpecFromRecipe(const v1::Quant& quant, Side side) {
  ASSIGN_OR_RETURN(const QuantizerSpec spec, SpecOfTensor(quant, side));
  if (!spec.enabled()) return QuantizerSpec{};
  RETURN_IF_ERROR(ValidateQuantizerSpec(spec, side));
  return spec;
}

// Stands for a network that nobody has seen: rows that blocks and groups of every size divide.
ParameterList AnyRows(const Quantizers& quantizers) {
  const int64_t group = std::max(1, quantizers.weight.sparsity.m);
  const int64_t block = std::max<int64_t>(1, quantizers.weight.block);
  const int64_t embedding_block = std::max<int64_t>(1, quantizers.embedding.block);
  return {{.name = "each layer", .kind = ParameterKind::kLinear, .sizes = {1, 1024 * group * block}},
          {.name = "the embedding", .kind = ParameterKind::kEmbedding, .sizes = {1, 1024 * embedding_block}}};
}

// The first matrix without an exact image, by the section of the recipe that quantizes it.
std::optional<ExportIssue> ImageIssue(const ParameterList& network, const Quantizers& quantizers) {
  Quantizers of_layers = quantizers, of_embedding = quantizers;
  of_layers.embedding = {};
  of_embedding.weight = {};
  for (const auto& [key, part] : {std::pair{"quant.weight", of_layers}, {"quant.embedding", of_embedding}})
    if (const absl::Status has_images = CheckGgufImages(network, part); !has_images.ok())
      return ExportIssue{key, fmt::format("export.weights gguf: {}", std::string(has_images.message()))};
  return std::nullopt;
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

absl::StatusOr<Quantizers> QuantizersFromRecipe(const v1::Recipe& recipe) {
  Quantizers quantizers;
  ASSIGN_OR_RETURN(quantizers.weight, SpecFromRecipe(recipe.quant(), Side::kWeight));
  ASSIGN_OR_RETURN(quantizers.activation, SpecFromRecipe(recipe.quant(), Side::kActivation));
  ASSIGN_OR_RETURN(quantizers.weight.sparsity, ParseSparsityPattern(recipe.sparsity().pattern()));
  if (recipe.sparsity().mask_decay_kind() == "gradient") quantizers.weight.mask_decay = recipe.sparsity().mask_decay();
  if (recipe.quant().embedding().has_format()) {  // Recipes of earlier versions, with all defaults, have not.
    ASSIGN_OR_RETURN(quantizers.embedding.format, ParseFormat(recipe.quant().embedding().format()));
    quantizers.embedding.block = recipe.quant().embedding().block();
  }
  quantizers.skip = {recipe.quant().skip().begin(), recipe.quant().skip().end()};
  return quantizers;
}

absl::StatusOr<ModelConfig> NamedConfigFromRecipe(const v1::Recipe& recipe, int64_t vocab_size) {
  ASSIGN_OR_RETURN(ModelConfig config, ShapeOf(recipe.model()));
  auto* gpt = std::get_if<GptConfig>(&config);
  if (gpt != nullptr && gpt->vocab_size == 0) {  // Without a vocabulary of its own it has no positions either.
    gpt->vocab_size = vocab_size;
    gpt->seq_len = recipe.training().seq_len();
  }
  return config;
}

absl::StatusOr<ModelConfig> ConfigFromRecipe(const v1::Recipe& recipe, int64_t vocab_size) {
  if (!recipe.model().has_path()) return NamedConfigFromRecipe(recipe, vocab_size);
  ASSIGN_OR_RETURN(const std::string path, ResolveModelPath(recipe.model().path()));
  ASSIGN_OR_RETURN(ModelFiles files, OpenModelFiles(path));
  return files.config;
}

absl::Status CheckModelHere(const std::string& name_or_path) {
  const absl::StatusOr<std::string> path = ResolveModelPath(name_or_path);
  if (!path.ok()) return absl::OkStatus();
  return OpenModelFiles(*path).status();
}

absl::StatusOr<std::optional<ExportIssue>> FindExportIssue(const v1::Recipe& recipe) {
  if (recipe.export_().weights() != "gguf") return std::nullopt;
  ASSIGN_OR_RETURN(const Quantizers quantizers, QuantizersFromRecipe(recipe));
  const absl::StatusOr<std::string> path = ResolveModelPath(recipe.model().path());
  if (!path.ok()) return ImageIssue(AnyRows(quantizers), quantizers);
  ASSIGN_OR_RETURN(const ModelFiles files, OpenModelFiles(*path));
  if (files.naming != WeightNaming::kGguf)
    return ExportIssue{
        "export.weights",
        fmt::format("gguf takes metadata and tokenizer from a GGUF, and model.path {} is none: set it to packed, and "
                    "export that with --format gguf --metadata-from",
                    recipe.model().path())};
  return ImageIssue(ParametersOf(files.config), quantizers);
}

absl::Status CheckExport(const v1::Recipe& recipe) {
  if (recipe.export_().weights() != "gguf") return absl::OkStatus();
  RETURN_IF_ERROR(ResolveModelPath(recipe.model().path()).status());
  ASSIGN_OR_RETURN(const std::optional<ExportIssue> issue, FindExportIssue(recipe));
  if (!issue) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("{}: {}", issue->key, issue->message));
}

absl::Status CheckFits(const v1::Recipe& recipe, int64_t dataset_vocab_size, int64_t vocab_size, int64_t max_length) {
  if (dataset_vocab_size > vocab_size)
    return absl::InvalidArgumentError(fmt::format(
        "the dataset's tokenizer has {} tokens, the model {}: prepare the text with the model's own tokenizer "
        "(ridgeline data prepare --tokenizer)",
        dataset_vocab_size, vocab_size));
  if (recipe.training().seq_len() > max_length)
    return absl::InvalidArgumentError(fmt::format("training.seq_len {} is longer than the model's {} positions",
                                                  recipe.training().seq_len(), max_length));
  return absl::OkStatus();
}

int64_t ElementBytes(const v1::Training& training) { return training.dtype() == "bfloat16" ? 2 : 4; }

BatchSplit SplitBatch(const v1::Training& training, int64_t ranks) {
  const int64_t share = (training.global_batch_size() + ranks - 1) / ranks;
  const int64_t local = training.deterministic() ? 1 : training.local_batch_size();
  return {.sequences_per_rank = share, .sequences_per_pass = local > 0 ? std::min(local, share) : share};
}

}  // namespace ridgeline
