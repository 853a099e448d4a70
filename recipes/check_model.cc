// SPDX-License-Identifier: Apache-2.0
// Rules about the network: where its shape comes from, and what must divide its rows.
#include <numeric>
#include <string>
#include <utility>

#include "fmt/format.h"
#include "recipes/checks.h"
#include "recipes/model_shapes.h"
#include "recipes/tensor_quant.h"

namespace ridgeline::recipe_internal {
namespace {

using Issues = std::vector<Issue>;

// The keys that override sizes of a named shape, and whether the recipe has them.
std::vector<std::pair<std::string, bool>> SizeKeys(const v1::Model& model) {
  return {
      {"model.n_layers", model.has_n_layers()}, {"model.dim", model.has_dim()}, {"model.n_heads", model.has_n_heads()}};
}

// Defaults leave model.name out where there is a path, so that only a name that somebody wrote is here.
void CheckPath(const v1::Model& model, Issues* issues) {
  std::vector<std::pair<std::string, bool>> keys = SizeKeys(model);
  keys.emplace_back("model.name", model.has_name());
  for (const auto& [key, given] : keys) {
    if (!given) continue;
    issues->push_back({key,
                       "cannot be set beside model.path, whose weights have a shape of their own",
                       fmt::format("remove {} or model.path", key),
                       {key, "model.path"}});
  }
}

void CheckSizes(const v1::Model& model, const ModelConfig& shape, Issues* issues) {
  const bool is_fixed = !std::holds_alternative<GptConfig>(shape);
  for (const auto& [key, given] : SizeKeys(model)) {
    if (given && is_fixed) {
      issues->push_back({key,
                         fmt::format("cannot be set: the shape of {} is fixed", model.name()),
                         "remove the key, or set model.name to a GPT's",
                         {key, "model.name"}});
    }
    if (!given && model.name() == "gpt") {
      issues->push_back(
          {key, "is required by model.name gpt", "set it, or name a shape like gpt-nano", {key, "model.name"}});
    }
  }
}

void CheckHeads(const v1::Model& model, const ModelConfig& shape, Issues* issues) {
  const auto* gpt = std::get_if<GptConfig>(&shape);
  if (gpt == nullptr || gpt->dim <= 0 || gpt->n_heads <= 0 || gpt->dim % gpt->n_heads == 0) return;
  issues->push_back({model.has_n_heads() ? "model.n_heads" : "model.dim",
                     fmt::format("{} heads do not divide the width {}", gpt->n_heads, gpt->dim),
                     "make model.dim a multiple of model.n_heads",
                     {"model.name", "model.dim", "model.n_heads"}});
}

void CheckLength(const v1::Recipe& full, const ModelConfig& shape, Issues* issues) {
  const int64_t seq_len = full.training().seq_len(), longest = LongestSequenceOf(shape);
  const bool has_own_positions = VocabSizeOf(shape) > 0;
  if (!has_own_positions || seq_len <= longest) return;
  issues->push_back({"training.seq_len",
                     fmt::format("{} is over the {} positions of {}", seq_len, longest, full.model().name()),
                     fmt::format("at most {}", longest),
                     {"training.seq_len", "model.name"}});
}

std::string RemedyForTail(const std::vector<int64_t>& lengths) {
  int64_t common = 0;
  for (int64_t length : lengths) common = std::gcd(common, length);
  const int64_t largest = common & -common;  // Its power of two.
  if (largest < 2) return "set quant.hadamard to false";
  return fmt::format("set it to a power of two up to {}, or quant.hadamard to false", largest);
}

void CheckHadamardBlocks(const v1::Recipe& full, const v1::TensorQuant& quant, const std::string& prefix,
                         Issues* issues) {
  if (!full.quant().hadamard() || !IsQuantized(full.quant(), quant)) return;
  const std::string key = prefix + ".block";
  const int block = quant.block();
  if (block <= 0 || (block & (block - 1)) != 0) return;  // method/problems.h refuses it.
  const std::vector<int64_t> lengths = RowLengths(full.model());
  for (int64_t length : lengths) {
    if (length % block == 0) continue;
    issues->push_back(
        {key,
         fmt::format("{} does not divide rows of {} features, and Hadamard blocks have no tail", block, length),
         RemedyForTail(lengths),
         {key, "quant.hadamard", "model.name", "model.dim"}});
    return;
  }
}

}  // namespace

void CheckHadamard(const v1::Recipe& full, Issues* issues) {
  CheckHadamardBlocks(full, full.quant().weight(), "quant.weight", issues);
  CheckHadamardBlocks(full, full.quant().activation(), "quant.activation", issues);
}

void CheckModel(const v1::Recipe& full, Issues* issues) {
  const v1::Model& model = full.model();
  if (model.has_path()) {
    CheckPath(model, issues);
  } else if (const absl::StatusOr<ModelConfig> shape = ShapeOf(model); shape.ok()) {  // The schema has other names.
    CheckSizes(model, *shape, issues);
    CheckHeads(model, *shape, issues);
    CheckLength(full, *shape, issues);
  }
  CheckHadamard(full, issues);
}

}  // namespace ridgeline::recipe_internal
