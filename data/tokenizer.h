// SPDX-License-Identifier: Apache-2.0
// Text to token ids and back. Implementations are immutable and thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ridgeline {

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  virtual std::string kind() const = 0;  // "char", "sentencepiece"
  virtual int64_t vocab_size() const = 0;
  // INVALID_ARGUMENT with the byte offset for text that the vocabulary cannot express.
  virtual absl::StatusOr<std::vector<uint32_t>> Encode(std::string_view text) const = 0;
  // The inverse of Encode. INVALID_ARGUMENT for an id outside the vocabulary.
  virtual absl::StatusOr<std::string> Decode(const std::vector<uint32_t>& ids) const = 0;
  // Written into dataset.json; LoadTokenizer reads it back.
  virtual std::string ToJson() const = 0;
};

// One token a Unicode code point, ids by rising code point. INVALID_ARGUMENT with the offset for text that is not UTF-8.
absl::StatusOr<std::unique_ptr<Tokenizer>> MakeCharTokenizer(std::string_view text);

// A SentencePiece model file.
absl::StatusOr<std::unique_ptr<Tokenizer>> MakeSentencePieceTokenizer(const std::string& model_path);

absl::StatusOr<std::unique_ptr<Tokenizer>> LoadTokenizer(const std::string& json);

}  // namespace ridgeline
