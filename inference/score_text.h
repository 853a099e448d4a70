// SPDX-License-Identifier: Apache-2.0
// Loss, perplexity and accuracy of a model on a text, every token scored once.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "absl/status/statusor.h"
#include "model/language_model.h"

namespace ridgeline {

struct ScoreOptions {
  int64_t seq_len = 0;          // Tokens of a window, at most the model's positions.
  int64_t batch = 1;            // Windows that are computed at once.
  std::optional<uint32_t> bos;  // Stands before each window, so that its first token is scored too.
  // Tokens scored so far, of how many; false ends it with CANCELLED. May be empty.
  std::function<bool(int64_t done, int64_t total)> progress;
};

struct TextScore {
  double loss = 0;        // Nats per token
  double perplexity = 0;  // exp(loss)
  double accuracy = 0;    // Share of the tokens that were the most probable ones
  int64_t tokens = 0;     // That were scored
};

// Windows follow each other without overlap; without bos the text's first token begins the first window, unscored.
// INVALID_ARGUMENT if there is nothing to score, or ids and lengths are beyond the model.
absl::StatusOr<TextScore> ScoreTokens(LanguageModel* model, std::span<const uint32_t> tokens,
                                      const ScoreOptions& options);

}  // namespace ridgeline
