// SPDX-License-Identifier: Apache-2.0
// Text to token ids and back. Implementations are immutable and thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ridgeline {

// The tokens around a text. Encode adds none of them: EncodePrompt does, and whoever packs documents.
struct SpecialTokens {
  std::optional<uint32_t> bos_id;  // Begins a text
  std::optional<uint32_t> eos_id;  // Ends a text: generation stops there
  bool prompt_begins_with_bos = false;
};

enum class ControlTokens { kSpelled, kSkipped };

// How a text is encoded, with the same ids: in chunks whose ids are remembered, or in one piece, for tests to compare.
enum class Chunks { kCached, kNone };

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  virtual std::string kind() const = 0;  // "char", "sentencepiece", "bpe"
  virtual int64_t vocab_size() const = 0;
  virtual SpecialTokens special_tokens() const { return {}; }

  // The ids of UTF-8 text. Control and added tokens that the text spells out (<start_of_turn>) become their ids, as in
  // Hugging Face tokenizers. INVALID_ARGUMENT with the byte offset for text that the vocabulary cannot express.
  virtual absl::StatusOr<std::vector<uint32_t>> Encode(std::string_view text) const = 0;

  // The inverse of Encode: UTF-8, U+FFFD where ids are cut inside a character. What a SentencePiece model normalizes
  // away does not come back. INVALID_ARGUMENT for an id outside the vocabulary. StreamDecoder does it id by id.
  absl::StatusOr<std::string> Decode(const std::vector<uint32_t>& ids,
                                     ControlTokens control = ControlTokens::kSpelled) const;

  // The bytes that a token stands for: perhaps a part of a character. REQUIRES: id < vocab_size().
  virtual std::string BytesOf(uint32_t id) const = 0;
  // Steers a model and is no text: bos, eos, turn marks. REQUIRES: id < vocab_size().
  virtual bool IsControl(uint32_t id) const { return false; }
  // Encode puts a space before the text, which decoding takes away from the first token.
  virtual bool AddsSpaceBeforeText() const { return false; }

  // The first place from `offset` on where the text may be cut: the parts' ids, joined, are the whole text's ids.
  // text.size() if there is none. REQUIRES: 0 < offset <= text.size(); text is UTF-8.
  virtual size_t CutAfter(std::string_view text, size_t offset) const { return text.size(); }

  // What decides the ids of a text, and nothing else, in a fixed form: equal for tokenizers of one kind that give the
  // same ids because they have the same vocabulary and rules, whatever file they came from.
  virtual std::string IdRules() const { return ToJson(); }

  // What a dataset keeps of its tokenizer: a JSON object for dataset.json, and the content of TokenizerFileName(kind())
  // beside it, whose SHA-256 the JSON holds. LoadTokenizer reads them back.
  virtual std::string ToJson() const = 0;
  virtual std::string FileBytes() const { return ""; }
};

// One token a Unicode code point, ids by rising code point. INVALID_ARGUMENT with the offset if text is not UTF-8.
absl::StatusOr<std::unique_ptr<Tokenizer>> MakeCharTokenizer(std::string_view text);

// The file's name in a dataset folder, in a format that other programs read: tokenizer.model, tokenizer.json; empty
// for kinds that need none.
std::string TokenizerFileName(std::string_view kind);

// DATA_LOSS for JSON or a file that is not what ToJson and FileBytes give.
absl::StatusOr<std::unique_ptr<Tokenizer>> LoadTokenizer(const std::string& json, std::string_view file_bytes);

// The ids that a model gets for a prompt: Encode, after bos where this model's prompts begin with it.
absl::StatusOr<std::vector<uint32_t>> EncodePrompt(const Tokenizer& tokenizer, std::string_view text);

}  // namespace ridgeline
