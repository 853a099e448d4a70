// SPDX-License-Identifier: Apache-2.0
// A byte-pair encoding as its files state it, before it is checked.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "data/tokenizer.h"

namespace ridgeline {

// How tokens spell text.
enum class BpeSpelling {
  kBytes,   // GPT-2: words by Gpt2Words, each byte as a character of GPT-2's byte alphabet.
  kSpaces,  // Gemma: the whole text one word, spaces as U+2581, characters without a token as <0x00> to <0xFF>.
};

struct BpeVocabulary {
  struct AddedToken {
    uint32_t id = 0;
    std::string text;  // As it stands in raw text.
    bool is_control = false;
  };
  BpeSpelling spelling = BpeSpelling::kBytes;
  std::vector<std::string> tokens;                          // By id; an added token's place holds its text.
  std::vector<std::pair<std::string, std::string>> merges;  // By rank.
  std::vector<AddedToken> added;
  SpecialTokens special;
};

// Sets bos and eos from the names that models give them (<bos>, </s>, <|endoftext|>, ...), where they are not set.
void FindSpecialTokensByName(BpeVocabulary* vocabulary);

}  // namespace ridgeline
