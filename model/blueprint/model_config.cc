// SPDX-License-Identifier: Apache-2.0
#include "model/blueprint/model_config.h"

#include <algorithm>

namespace ridgeline {
namespace {

constexpr std::string_view kNames[] = {"gpt-nano", "gpt-11m", "gpt2", "gemma3-270m", "gemma3-1b", "gemma3-4b"};

}  // namespace

std::span<const std::string_view> ModelNames() { return kNames; }

absl::StatusOr<ModelConfig> NamedModel(std::string_view name) {
  if (name.starts_with("gemma3-")) return Gemma3Shape(name);
  return GptShape(name);
}

int64_t VocabSizeOf(const ModelConfig& config) {
  return std::visit([](const auto& shape) { return shape.vocab_size; }, config);
}

int64_t LongestSequenceOf(const ModelConfig& config) {
  if (const auto* gpt = std::get_if<GptConfig>(&config)) return gpt->seq_len;
  return std::get<Gemma3Config>(config).max_length;
}

int64_t WidthOf(const ModelConfig& config) {
  return std::visit([](const auto& shape) { return shape.dim; }, config);
}

ParameterList ParametersOf(const ModelConfig& config) {
  return std::visit([](const auto& shape) { return ParametersOf(shape); }, config);
}

std::vector<int64_t> RowLengths(const ModelConfig& config) {
  ModelConfig of_one_block = config;  // Blocks are alike.
  std::visit([](auto& shape) { shape.n_layers = 1; }, of_one_block);
  std::vector<int64_t> lengths;
  for (const ParameterShape& parameter : ParametersOf(of_one_block)) {
    if (parameter.kind != ParameterKind::kLinear) continue;
    if (std::find(lengths.begin(), lengths.end(), parameter.columns()) == lengths.end())
      lengths.push_back(parameter.columns());
  }
  return lengths;
}

}  // namespace ridgeline
