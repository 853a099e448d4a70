// SPDX-License-Identifier: Apache-2.0
#include "model/model_config.h"

#include <fnmatch.h>

#include <algorithm>

namespace ridgeline {

int64_t VocabSizeOf(const ModelConfig& config) {
  return std::visit([](const auto& shape) { return shape.vocab_size; }, config);
}

int64_t LongestSequenceOf(const ModelConfig& config) {
  if (const auto* gpt = std::get_if<GptConfig>(&config)) return gpt->seq_len;
  return std::get<Gemma3Config>(config).max_length;
}

bool MatchesAny(const std::vector<std::string>& patterns, const std::string& name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return fnmatch(pattern.c_str(), name.c_str(), 0) == 0; });
}

}  // namespace ridgeline
