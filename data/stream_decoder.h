// SPDX-License-Identifier: Apache-2.0
// Ids to text while they arrive: a character's bytes may span tokens.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "data/tokenizer.h"

namespace ridgeline {

// What Add returned so far, joined, is UTF-8 and a prefix of Decode's text. A continuation is decoded after its prompt:
// add the prompt's ids first and drop what they return. One thread at a time; the tokenizer must outlive it.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, ControlTokens control = ControlTokens::kSkipped);

  // The characters that this id completes. INVALID_ARGUMENT for an id outside the vocabulary.
  absl::StatusOr<std::string> Add(uint32_t id);

  // What is still held back, a U+FFFD for each byte; the decoder may then begin the next character.
  std::string Finish();

 private:
  std::string TakeCharacters(bool at_end);

  const Tokenizer& tokenizer_;
  const ControlTokens control_;
  bool drop_space_;
  std::string held_bytes_;
};

}  // namespace ridgeline
