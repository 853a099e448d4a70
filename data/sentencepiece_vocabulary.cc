// SPDX-License-Identifier: Apache-2.0
#include "data/sentencepiece_vocabulary.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "absl/container/flat_hash_set.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "data/character_map.h"
#include "data/protobuf_wire.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

using Piece = SentencePieceVocabulary::Piece;

// Field numbers of the messages ModelProto, SentencePiece, TrainerSpec and NormalizerSpec.
enum ModelField : uint32_t { kPieces = 1, kTrainerSpec = 2, kNormalizerSpec = 3 };
enum PieceField : uint32_t { kText = 1, kScore = 2, kType = 3 };
enum TrainerField : uint32_t {
  kModelType = 3,
  kVocabSize = 4,
  kWhitespaceAsSuffix = 24,
  kByteFallback = 35,
  kUnkId = 40,
  kBosId = 41,
  kEosId = 42,
  kPadId = 43,
  kUnkPiece = 45,
  kBosPiece = 46,
  kEosPiece = 47,
};
enum NormalizerField : uint32_t {
  kName = 1,
  kCharsmap = 2,
  kDummyPrefix = 3,
  kRemoveWhitespaces = 4,
  kEscapeWhitespaces = 5,
};

constexpr size_t kMaxPieces = size_t{1} << 26;
constexpr uint64_t kNoId = static_cast<uint64_t>(int64_t{-1});

absl::Status Wrong(const std::string& what) { return absl::DataLossError("not a SentencePiece model: " + what); }

// Calls `take` with each field of a message.
template <typename Take>
absl::Status ForEachField(std::string_view message, const char* name, Take take) {
  WireReader reader(message);
  for (WireField field; reader.Next(&field);) RETURN_IF_ERROR(take(field));
  return reader.ok() ? absl::OkStatus() : Wrong(fmt::format("{} is cut off or no protobuf", name));
}

absl::Status ReadPiece(std::string_view message, SentencePieceVocabulary* vocabulary) {
  if (vocabulary->pieces.size() == kMaxPieces) return Wrong(fmt::format("more than {} pieces", kMaxPieces));
  Piece& piece = vocabulary->pieces.emplace_back();
  return ForEachField(message, "a piece", [&](const WireField& field) {
    if (field.number == kText) piece.text = field.bytes;
    if (field.number == kScore) piece.score = std::bit_cast<float>(static_cast<uint32_t>(field.value));
    if (field.number == kType) piece.type = static_cast<PieceType>(std::min<uint64_t>(field.value, 255));
    return absl::OkStatus();
  });
}

struct TrainerIds {
  uint64_t bos = 1, eos = 2;  // The format's defaults
};

absl::Status ReadTrainerSpec(std::string_view message, SentencePieceVocabulary* vocabulary, TrainerIds* ids) {
  return ForEachField(message, "trainer_spec", [&](const WireField& field) {
    switch (field.number) {
      case kModelType:
        vocabulary->algorithm = static_cast<SentencePieceAlgorithm>(std::min<uint64_t>(field.value, 255));
        break;
      case kWhitespaceAsSuffix:
        vocabulary->space_after_words = field.value != 0;
        break;
      case kByteFallback:
        vocabulary->byte_fallback = field.value != 0;
        break;
      case kBosId:
        ids->bos = field.value;
        break;
      case kEosId:
        ids->eos = field.value;
        break;
      default:
        break;
    }
    return absl::OkStatus();
  });
}

absl::Status ReadNormalizerSpec(std::string_view message, SentencePieceVocabulary* vocabulary) {
  return ForEachField(message, "normalizer_spec", [&](const WireField& field) {
    switch (field.number) {
      case kName:
        vocabulary->normalizer_name = field.bytes;
        break;
      case kCharsmap:
        vocabulary->character_map = field.bytes;
        break;
      case kDummyPrefix:
        vocabulary->add_dummy_prefix = field.value != 0;
        break;
      case kRemoveWhitespaces:
        vocabulary->remove_extra_whitespaces = field.value != 0;
        break;
      case kEscapeWhitespaces:
        vocabulary->escape_whitespaces = field.value != 0;
        break;
      default:
        break;
    }
    return absl::OkStatus();
  });
}

uint64_t IdOrNone(std::optional<uint32_t> id) { return id.has_value() ? *id : kNoId; }

// A model without bos or eos says -1, or leaves the default at a piece that is none.
std::optional<uint32_t> ControlPiece(const SentencePieceVocabulary& vocabulary, uint64_t id) {
  if (id >= vocabulary.pieces.size() || vocabulary.pieces[id].type != PieceType::kControl) return std::nullopt;
  return static_cast<uint32_t>(id);
}

absl::Status CheckPiece(const Piece& piece, size_t id) {
  const bool text_ok =
      !piece.text.empty() && piece.text.find('\0') == std::string::npos && Utf8ToCodePoints(piece.text).ok();
  if (!text_ok) return Wrong(fmt::format("piece {} is empty, not UTF-8 or holds a zero byte", id));
  if (!std::isfinite(piece.score)) return Wrong(fmt::format("the score of piece {} is not finite", id));
  if (piece.type >= PieceType::kNormal && piece.type <= PieceType::kByte) return absl::OkStatus();
  return Wrong(fmt::format("piece {} has type {}", id, static_cast<int>(piece.type)));
}

size_t CountOf(const SentencePieceVocabulary& vocabulary, PieceType type) {
  return static_cast<size_t>(std::count_if(vocabulary.pieces.begin(), vocabulary.pieces.end(),
                                           [&](const Piece& piece) { return piece.type == type; }));
}

absl::Status CheckBytePieces(const SentencePieceVocabulary& vocabulary) {
  absl::flat_hash_set<std::string_view> byte_texts;
  for (const Piece& piece : vocabulary.pieces) {
    if (piece.type == PieceType::kByte) byte_texts.insert(piece.text);
  }
  if (byte_texts.empty() && !vocabulary.byte_fallback) return absl::OkStatus();
  for (int byte = 0; byte < 256; ++byte) {
    if (!byte_texts.contains(fmt::format("<0x{:02X}>", byte)))
      return Wrong(fmt::format("byte fallback without a piece for byte {}", byte));
  }
  return byte_texts.size() == 256 && vocabulary.byte_fallback ? absl::OkStatus()
                                                              : Wrong("byte pieces that byte fallback does not use");
}

void WriteId(uint32_t id_field, std::optional<uint32_t> id, uint32_t piece_field,
             const SentencePieceVocabulary& vocabulary, std::string* bytes) {
  WriteVarint(id_field, IdOrNone(id), bytes);
  if (id.has_value()) WriteBytes(piece_field, vocabulary.pieces[*id].text, bytes);
}

std::string TrainerSpec(const SentencePieceVocabulary& vocabulary) {
  std::string bytes;
  WriteVarint(kModelType, static_cast<uint64_t>(vocabulary.algorithm), &bytes);
  WriteVarint(kVocabSize, vocabulary.pieces.size(), &bytes);
  WriteVarint(kWhitespaceAsSuffix, vocabulary.space_after_words, &bytes);
  WriteVarint(kByteFallback, vocabulary.byte_fallback, &bytes);
  auto unknown = std::find_if(vocabulary.pieces.begin(), vocabulary.pieces.end(),
                              [](const Piece& piece) { return piece.type == PieceType::kUnknown; });
  WriteId(kUnkId, static_cast<uint32_t>(unknown - vocabulary.pieces.begin()), kUnkPiece, vocabulary, &bytes);
  WriteId(kBosId, ControlPiece(vocabulary, IdOrNone(vocabulary.bos_id)), kBosPiece, vocabulary, &bytes);
  WriteId(kEosId, ControlPiece(vocabulary, IdOrNone(vocabulary.eos_id)), kEosPiece, vocabulary, &bytes);
  WriteVarint(kPadId, kNoId, &bytes);
  return bytes;
}

std::string NormalizerSpec(const SentencePieceVocabulary& vocabulary) {
  std::string bytes;
  WriteBytes(kName, vocabulary.normalizer_name, &bytes);
  WriteBytes(kCharsmap, vocabulary.character_map, &bytes);
  WriteVarint(kDummyPrefix, vocabulary.add_dummy_prefix, &bytes);
  WriteVarint(kRemoveWhitespaces, vocabulary.remove_extra_whitespaces, &bytes);
  WriteVarint(kEscapeWhitespaces, vocabulary.escape_whitespaces, &bytes);
  return bytes;
}

}  // namespace

absl::StatusOr<SentencePieceVocabulary> ParseSentencePieceModel(std::string_view bytes) {
  SentencePieceVocabulary vocabulary;
  TrainerIds ids;
  RETURN_IF_ERROR(ForEachField(bytes, "the file", [&](const WireField& field) {
    switch (field.number) {
      case kPieces:
        return ReadPiece(field.bytes, &vocabulary);
      case kTrainerSpec:
        return ReadTrainerSpec(field.bytes, &vocabulary, &ids);
      case kNormalizerSpec:
        return ReadNormalizerSpec(field.bytes, &vocabulary);
      default:
        return absl::OkStatus();
    }
  }));
  vocabulary.bos_id = ControlPiece(vocabulary, ids.bos);
  vocabulary.eos_id = ControlPiece(vocabulary, ids.eos);
  RETURN_IF_ERROR(CheckSentencePieceVocabulary(vocabulary));
  return vocabulary;
}

absl::Status CheckSentencePieceVocabulary(const SentencePieceVocabulary& vocabulary) {
  absl::flat_hash_set<std::string_view> texts;
  for (size_t id = 0; id < vocabulary.pieces.size(); ++id) {
    RETURN_IF_ERROR(CheckPiece(vocabulary.pieces[id], id));
    if (!texts.insert(vocabulary.pieces[id].text).second) return Wrong(fmt::format("piece {} repeats another", id));
  }
  if (CountOf(vocabulary, PieceType::kUnknown) != 1) return Wrong("it needs exactly one unknown piece");
  if (texts.size() == 1) return Wrong("it has no pieces beside the unknown one");
  RETURN_IF_ERROR(CheckBytePieces(vocabulary));
  if (vocabulary.algorithm < SentencePieceAlgorithm::kUnigram || vocabulary.algorithm > SentencePieceAlgorithm::kChar)
    return Wrong(fmt::format("model type {}", static_cast<int>(vocabulary.algorithm)));
  return CheckCharacterMap(vocabulary.character_map);
}

std::string WriteSentencePieceModel(const SentencePieceVocabulary& vocabulary) {
  std::string bytes;
  for (const Piece& piece : vocabulary.pieces) {
    std::string message;
    WriteBytes(kText, piece.text, &message);
    WriteFloat(kScore, piece.score, &message);
    WriteVarint(kType, static_cast<uint64_t>(piece.type), &message);
    WriteBytes(kPieces, message, &bytes);
  }
  WriteBytes(kTrainerSpec, TrainerSpec(vocabulary), &bytes);
  WriteBytes(kNormalizerSpec, NormalizerSpec(vocabulary), &bytes);
  return bytes;
}

}  // namespace ridgeline
