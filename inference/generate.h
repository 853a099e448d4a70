// SPDX-License-Identifier: Apache-2.0
// Token by token from a prompt: the prompt goes through the network once, then one token at a time against a cache of
// keys and values.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "inference/sampler.h"
#include "model/language_model.h"

namespace ridgeline {

struct GenerationOptions {
  SamplingOptions sampling;
  int64_t max_new_tokens = 128;
  std::optional<uint32_t> eos_id;  // Generation ends with it; it is not among the ids.
  int64_t vocab_size = 0;          // Only ids below it are chosen (a tokenizer may have fewer than the model); 0: all.
};

struct Generation {
  std::vector<uint32_t> ids;  // Without the prompt
  std::string end;            // Why: "length", "eos", "context" (the model has no more positions), "interrupted"
  double prompt_seconds = 0;
  double decode_seconds = 0;  // Of the tokens after the first
};

// `on_token` is called for each id as it comes and returns whether to go on. INVALID_ARGUMENT if the prompt is empty,
// longer than the model's positions, or has ids that the model lacks. Throws c10::Error on lack of memory.
absl::StatusOr<Generation> Generate(LanguageModel* model, const std::vector<uint32_t>& prompt,
                                    const GenerationOptions& options, const std::function<bool(uint32_t)>& on_token);

}  // namespace ridgeline
