// SPDX-License-Identifier: Apache-2.0
// GPT-2's cut of text into words, within which byte pairs merge: contractions, letters, digits and other signs with
// the space before them, runs of whitespace.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"

namespace ridgeline {

// One thread at a time; cheap to make (the pattern is compiled once in a process).
class Gpt2Words {
 public:
  Gpt2Words();
  ~Gpt2Words();
  Gpt2Words(const Gpt2Words&) = delete;
  Gpt2Words& operator=(const Gpt2Words&) = delete;

  // The end of the word that begins at `begin`; begin < end. INTERNAL if PCRE2 gives up (out of memory).
  // REQUIRES: text is UTF-8; begin is a character's first byte.
  absl::StatusOr<size_t> EndOfWord(std::string_view text, size_t begin);

 private:
  struct Match;
  std::unique_ptr<Match> match_;
};

// Whitespace as Unicode's White_Space property has it.
bool IsUnicodeSpace(char32_t code_point);

}  // namespace ridgeline
