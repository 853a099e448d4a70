// SPDX-License-Identifier: Apache-2.0
#include "data/sentencepiece_tokenizer.h"

#include <algorithm>

#include "common/status_macros.h"
#include "common/utf8.h"
#include "data/added_tokens.h"
#include "data/chunk_cache.h"
#include "data/line_cut.h"
#include "data/piece_cuts.h"
#include "data/piece_spelling.h"
#include "data/sentencepiece_model.h"
#include "data/special_tokens_json.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

using Piece = SentencePieceVocabulary::Piece;

// The library counts bytes in int.
constexpr size_t kMaxTextBytes = size_t{1} << 30;

constexpr size_t kBeforeText = static_cast<size_t>(-1);  // Offset of a space that is put before: the text's is 0.

// Encode finds unknown pieces by their name too: a text that spells "<unk>" has a token for it.
bool IsControlType(PieceType type) { return type == PieceType::kControl || type == PieceType::kUnknown; }

AddedTokens ControlPieces(const SentencePieceVocabulary& vocabulary) {
  AddedTokens tokens;
  for (size_t id = 0; id < vocabulary.pieces.size(); ++id) {
    const Piece& piece = vocabulary.pieces[id];
    if (IsControlType(piece.type)) tokens.Add(piece.text, static_cast<uint32_t>(id));
  }
  return tokens;
}

// The library would put a space before each stretch between control pieces, not only before the text; so the tokenizer
// does it, unless the model also strips spaces, which would take it away again.
bool AddsSpaceItself(const SentencePieceVocabulary& vocabulary) {
  return vocabulary.add_dummy_prefix && !vocabulary.remove_extra_whitespaces;
}

std::string BytesForLibrary(SentencePieceVocabulary vocabulary) {
  vocabulary.add_dummy_prefix = vocabulary.add_dummy_prefix && !AddsSpaceItself(vocabulary);
  return WriteSentencePieceModel(vocabulary);
}

// Parts of a text are encoded alone only if the library changes no text around them and no piece reaches over the cut.
// A unigram model weighs the whole text in floating point, so that its ties may fall otherwise in a part.
bool MayCutLines(const SentencePieceVocabulary& vocabulary) {
  return vocabulary.algorithm == SentencePieceAlgorithm::kBpe && vocabulary.character_map.empty() &&
         !vocabulary.add_dummy_prefix && !vocabulary.remove_extra_whitespaces &&
         std::none_of(vocabulary.pieces.begin(), vocabulary.pieces.end(),
                      [](const Piece& piece) { return ContinuesAfterLineBreak(piece.text); });
}

// Whether chunks that PieceCuts cuts have the ids of the whole: only where the library changes no text around them.
bool MayEncodeChunks(const SentencePieceVocabulary& vocabulary) {
  return vocabulary.algorithm == SentencePieceAlgorithm::kBpe && vocabulary.character_map.empty() &&
         !vocabulary.remove_extra_whitespaces;
}

PieceCuts CutsOf(const SentencePieceVocabulary& vocabulary) {
  PieceCuts cuts;
  for (const Piece& piece : vocabulary.pieces) cuts.Add(piece.text);
  return cuts;
}

class SentencePieceTokenizer : public Tokenizer {
 public:
  SentencePieceTokenizer(SentencePieceVocabulary vocabulary, SpecialTokens special, std::string file_bytes,
                         std::unique_ptr<SentencePieceModel> model, Chunks chunks)
      : vocabulary_(std::move(vocabulary)),
        special_(special),
        file_bytes_(std::move(file_bytes)),
        model_(std::move(model)),
        control_pieces_(ControlPieces(vocabulary_)),
        may_cut_lines_(MayCutLines(vocabulary_)),
        in_chunks_(chunks == Chunks::kCached && MayEncodeChunks(vocabulary_)) {
    if (in_chunks_) cuts_ = CutsOf(vocabulary_);
  }

  std::string kind() const override { return "sentencepiece"; }
  int64_t vocab_size() const override { return static_cast<int64_t>(vocabulary_.pieces.size()); }
  SpecialTokens special_tokens() const override { return special_; }
  bool IsControl(uint32_t id) const override { return IsControlType(vocabulary_.pieces[id].type); }
  bool AddsSpaceBeforeText() const override { return vocabulary_.add_dummy_prefix; }
  std::string ToJson() const override { return FileTokenizerJson(kind(), file_bytes_, special_).dump(); }
  std::string FileBytes() const override { return file_bytes_; }
  std::string IdRules() const override {
    SentencePieceVocabulary rules = vocabulary_;
    rules.bos_id = rules.eos_id = std::nullopt;
    rules.normalizer_name.clear();  // The character map is what normalizes.
    return WriteSentencePieceModel(rules);
  }

  size_t CutAfter(std::string_view text, size_t offset) const override {
    return may_cut_lines_ ? LineCutAfter(text, offset) : text.size();
  }

  absl::StatusOr<std::vector<uint32_t>> Encode(std::string_view text) const override {
    if (text.size() > kMaxTextBytes)
      return absl::InvalidArgumentError(fmt::format("the text has {} bytes; encode it in parts", text.size()));
    // libsentencepiece replaces wrong bytes silently, so they are found here.
    RETURN_IF_ERROR(CheckUtf8(text));
    std::vector<uint32_t> ids;
    RETURN_IF_ERROR(control_pieces_.ForEach(
        text, [&](std::string_view plain, size_t offset) { return EncodePlain(plain, offset, &ids); },
        [&](uint32_t id) { ids.push_back(id); }));
    return ids;
  }

  std::string BytesOf(uint32_t id) const override {
    const Piece& piece = vocabulary_.pieces[id];
    if (piece.type == PieceType::kByte) return std::string(1, static_cast<char>(ByteOfFallbackToken(piece.text)));
    if (IsControlType(piece.type) || !vocabulary_.escape_whitespaces) return piece.text;
    return UnspellSpaces(piece.text);
  }

 private:
  absl::Status EncodePlain(std::string_view text, size_t offset, std::vector<uint32_t>* ids) const {
    if (offset > 0 || !AddsSpaceItself(vocabulary_)) return EncodeChunks(text, offset, ids);
    const std::string spaced = " " + std::string(text);
    return EncodeChunks(spaced, kBeforeText, ids);
  }

  absl::Status EncodeChunks(std::string_view text, size_t offset, std::vector<uint32_t>* ids) const {
    if (!in_chunks_) return EncodeWhole(text, offset, ids);
    const ChunkCaches::Lease cache(&caches_);
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = cuts_.NextCut(text, begin);
      const std::string_view chunk = text.substr(begin, end - begin);
      if (!(*cache).Append(chunk, ids)) {
        const size_t first = ids->size();
        RETURN_IF_ERROR(EncodeWhole(chunk, offset + begin, ids));
        (*cache).Add(chunk, std::span(*ids).subspan(first));
      }
      begin = end;
    }
    return absl::OkStatus();
  }

  absl::Status EncodeWhole(std::string_view text, size_t offset, std::vector<uint32_t>* ids) const {
    size_t unknown_offset = 0;
    if (model_->Encode(text, ids, &unknown_offset)) return absl::OkStatus();
    const size_t at = offset + unknown_offset;
    return absl::InvalidArgumentError(fmt::format(
        "the SentencePiece vocabulary has no piece for the text at byte offset {}; use a model trained with "
        "byte fallback, or one that covers this text",
        at == kBeforeText ? 0 : at));
  }

  const SentencePieceVocabulary vocabulary_;
  const SpecialTokens special_;
  const std::string file_bytes_;
  const std::unique_ptr<SentencePieceModel> model_;
  const AddedTokens control_pieces_;
  const bool may_cut_lines_;
  const bool in_chunks_;
  PieceCuts cuts_;
  ChunkCaches caches_;
};

}  // namespace

SpecialTokens SpecialTokensOf(const SentencePieceVocabulary& vocabulary) {
  return {vocabulary.bos_id, vocabulary.eos_id, vocabulary.bos_id.has_value()};
}

absl::StatusOr<std::unique_ptr<Tokenizer>> MakeSentencePieceTokenizer(SentencePieceVocabulary vocabulary,
                                                                      const SpecialTokens& special, Chunks chunks) {
  RETURN_IF_ERROR(CheckSentencePieceVocabulary(vocabulary));
  if (vocabulary.space_after_words)
    return absl::UnimplementedError(
        "a SentencePiece model with treat_whitespace_as_suffix; Ridgeline reads those that "
        "put spaces before words");
  std::string error;
  auto model = LoadSentencePieceModel(BytesForLibrary(vocabulary), &error);
  if (!model) return absl::DataLossError(fmt::format("not a SentencePiece model: {}", error));
  std::string file_bytes = WriteSentencePieceModel(vocabulary);
  return std::make_unique<SentencePieceTokenizer>(std::move(vocabulary), special, std::move(file_bytes),
                                                  std::move(model), chunks);
}

absl::StatusOr<std::unique_ptr<Tokenizer>> SentencePieceTokenizerFromJson(const nlohmann::json& json,
                                                                          std::string_view file_bytes) {
  RETURN_IF_ERROR(CheckTokenizerFile(json, file_bytes));
  ASSIGN_OR_RETURN(SentencePieceVocabulary vocabulary, ParseSentencePieceModel(file_bytes));
  ASSIGN_OR_RETURN(SpecialTokens special, SpecialTokensFromJson(json, static_cast<int64_t>(vocabulary.pieces.size())));
  return MakeSentencePieceTokenizer(std::move(vocabulary), special);
}

}  // namespace ridgeline
