// SPDX-License-Identifier: Apache-2.0
// A SentencePiece model file (a protobuf, ModelProto) as a struct, checked. Read and written by hand: libprotobuf and
// the copy of it that libsentencepiece exports cannot live in one symbol space (sentencepiece_model.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ridgeline {

// The format's own numbers, which GGUF's token types share.
enum class PieceType : uint8_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };
enum class SentencePieceAlgorithm : uint8_t { kUnigram = 1, kBpe = 2, kWord = 3, kChar = 4 };

struct SentencePieceVocabulary {
  struct Piece {
    std::string text;  // Spaces as U+2581
    float score = 0;
    PieceType type = PieceType::kNormal;
  };
  std::vector<Piece> pieces;  // By id
  SentencePieceAlgorithm algorithm = SentencePieceAlgorithm::kUnigram;
  bool byte_fallback = false;
  bool space_after_words = false;  // treat_whitespace_as_suffix
  std::optional<uint32_t> bos_id, eos_id;
  std::string normalizer_name;
  std::string character_map;  // precompiled_charsmap; empty: text stays as it is.
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
};

// DATA_LOSS for bytes that are no model and for whatever CheckSentencePieceVocabulary refuses. Safe on any input.
absl::StatusOr<SentencePieceVocabulary> ParseSentencePieceModel(std::string_view bytes);

// DATA_LOSS for what libsentencepiece may not see: pieces that are empty, repeat, are not UTF-8 or hold a zero byte,
// scores that are not finite, no unknown piece or several, byte pieces that are not all 256, a character map that
// points outside itself.
absl::Status CheckSentencePieceVocabulary(const SentencePieceVocabulary& vocabulary);

// A model file that holds what the struct holds: what ParseSentencePieceModel reads back.
std::string WriteSentencePieceModel(const SentencePieceVocabulary& vocabulary);

}  // namespace ridgeline
