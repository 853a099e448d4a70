// SPDX-License-Identifier: Apache-2.0
// How fast a network runs when it is used for one sequence: a prompt at once, and then a token after the other; and
// what such a token takes.
#pragma once

#include <cstdint>
#include <functional>

#include "model/language_model.h"

namespace ridgeline {

struct SpeedOptions {
  int64_t prompt_tokens = 128;
  int64_t new_tokens = 16;
  double min_seconds = 0.5;  // Of each of the two that are timed, after one that is not.
};

// What the network multiplies and reads for one new token. A weight that is kept in 1 to 8 bits is read as that.
struct DecodeWork {
  double integer_products = 0;  // Of whole weights with whole inputs.
  double float_products = 0;    // All others, attention's among them.
  double weight_bytes = 0;      // Each matrix once: of a batch of one, nothing is read twice.
  double cache_bytes = 0;       // Keys and values of the tokens before it.
};

struct Speed {
  int64_t prompt_tokens = 0, new_tokens = 0;  // Fewer than were asked for where the model has fewer positions.
  double prefill_tokens_per_second = 0;       // Medians.
  double decode_tokens_per_second = 0;
  DecodeWork work;  // Of the last of the new tokens.
};

// Passes the prompt, and returns what generates the new tokens after it, each time anew. REQUIRES: the model outlives
// it.
std::function<void()> NewTokensAfterPrompt(LanguageModel* model, const Speed& tokens, KvCache* cache = nullptr);

// Runs on LibTorch's threads, and takes a few times min_seconds or as long as a few prompts.
Speed MeasureSpeed(LanguageModel* model, const SpeedOptions& options = {});

}  // namespace ridgeline
