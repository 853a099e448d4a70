// SPDX-License-Identifier: Apache-2.0
#include "data/bpe_tokenizer.h"

#include <map>

#include "common/status_macros.h"
#include "common/utf8.h"
#include "data/bpe_index.h"
#include "data/chunk_cache.h"
#include "data/gpt2_words.h"
#include "data/hf_tokenizer_json.h"
#include "data/line_cut.h"
#include "data/piece_spelling.h"
#include "data/special_tokens_json.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

// Each symbol's position must fit BpeMerges.
constexpr size_t kMaxTextBytes = size_t{1} << 31;

absl::Status NoTokenAt(size_t offset) {
  return absl::InvalidArgumentError(
      fmt::format("the vocabulary has no token for the text at byte offset {}; use one that holds all bytes", offset));
}

// One call of Encode.
class BpeEncoding {
 public:
  // `cache`: of this index; null for all text to be merged anew and in one piece.
  BpeEncoding(const BpeIndex& index, BpeSpelling spelling, ChunkCache* cache)
      : index_(index), spelling_(spelling), cache_(cache) {}

  absl::StatusOr<std::vector<uint32_t>> Run(std::string_view text) {
    RETURN_IF_ERROR(index_.added.ForEach(
        text,
        [&](std::string_view plain, size_t offset) {
          return spelling_ == BpeSpelling::kBytes ? EncodeWords(plain, offset) : EncodeCharacters(plain, offset);
        },
        [&](uint32_t id) { ids_.push_back(id); }));
    return std::move(ids_);
  }

 private:
  absl::Status EncodeWords(std::string_view text, size_t offset) {
    for (size_t begin = 0; begin < text.size();) {
      ASSIGN_OR_RETURN(const size_t end, words_.EndOfWord(text, begin));
      const std::string_view word = text.substr(begin, end - begin);
      if (!IsKnown(word)) {
        for (size_t i = begin; i < end; ++i) RETURN_IF_ERROR(AddByte(text[i], offset + i));
        Merge(word);
      }
      begin = end;
    }
    return absl::OkStatus();
  }

  absl::Status EncodeCharacters(std::string_view text, size_t offset) {
    if (cache_ == nullptr || index_.merges_bytes) return EncodeChunk(text, offset);
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = index_.cuts.NextCut(text, begin);
      const std::string_view chunk = text.substr(begin, end - begin);
      if (!IsKnown(chunk)) RETURN_IF_ERROR(EncodeChunk(chunk, offset + begin));
      begin = end;
    }
    return absl::OkStatus();
  }

  // A space is spelled U+2581, which has no other role in the vocabulary.
  absl::Status EncodeChunk(std::string_view text, size_t offset) {
    const char32_t space_symbol = Utf8At(kSpaceSymbol, 0).code_point;
    for (size_t begin = 0; begin < text.size();) {
      const Utf8Character character = Utf8At(text, begin);
      auto id = index_.id_of_character.find(character.code_point == ' ' ? space_symbol : character.code_point);
      if (id != index_.id_of_character.end()) {
        symbols_.push_back(id->second);
      } else {
        for (size_t i = begin; i < begin + character.size; ++i) RETURN_IF_ERROR(AddByte(text[i], offset + i));
      }
      begin += character.size;
    }
    Merge(text);
    return absl::OkStatus();
  }

  absl::Status AddByte(char byte, size_t offset) {
    const uint32_t id = index_.id_of_byte[static_cast<uint8_t>(byte)];
    if (id == kNoToken) return NoTokenAt(offset);
    symbols_.push_back(id);
    return absl::OkStatus();
  }

  bool IsKnown(std::string_view chunk) { return cache_ != nullptr && cache_->Append(chunk, &ids_); }

  void Merge(std::string_view chunk) {
    index_.merges.Apply(&symbols_, &scratch_);
    ids_.insert(ids_.end(), symbols_.begin(), symbols_.end());
    if (cache_ != nullptr) cache_->Add(chunk, symbols_);
    symbols_.clear();
  }

  const BpeIndex& index_;
  const BpeSpelling spelling_;
  ChunkCache* const cache_;
  Gpt2Words words_;
  BpeMerges::Scratch scratch_;
  std::vector<uint32_t> symbols_;
  std::vector<uint32_t> ids_;
};

// Words begin with whitespace, never end in it before more of another kind: between the two no word goes on.
size_t WordCutAfter(std::string_view text, size_t offset) {
  for (; offset < text.size(); ++offset) {
    if (text[offset] != ' ' && text[offset] != '\n') continue;
    size_t last = offset - 1;
    while (last > 0 && (static_cast<uint8_t>(text[last]) & 0xC0) == 0x80) --last;
    if (!IsUnicodeSpace(Utf8At(text, last).code_point)) return offset;
  }
  return text.size();
}

// Each text after its length, so that no two vocabularies read alike.
std::string IdRulesOf(const BpeVocabulary& vocabulary) {
  std::string rules = vocabulary.spelling == BpeSpelling::kBytes ? "bytes\n" : "spaces\n";
  auto add = [&rules](const std::string& text) { rules += fmt::format("{}:{}", text.size(), text); };
  for (const std::string& token : vocabulary.tokens) add(token);
  rules += "\nmerges\n";
  for (const auto& [left, right] : vocabulary.merges) add(left), add(right);
  rules += "\nadded\n";
  std::map<uint32_t, std::string> added;
  for (const BpeVocabulary::AddedToken& token : vocabulary.added) added[token.id] = token.text;
  for (const auto& [id, text] : added) add(fmt::format("{} {}", id, text));
  return rules;
}

class BpeTokenizer : public Tokenizer {
 public:
  BpeTokenizer(BpeVocabulary vocabulary, BpeIndex index, Chunks chunks)
      : vocabulary_(std::move(vocabulary)), index_(std::move(index)), chunks_(chunks) {}

  std::string kind() const override { return "bpe"; }
  int64_t vocab_size() const override { return static_cast<int64_t>(vocabulary_.tokens.size()); }
  SpecialTokens special_tokens() const override { return vocabulary_.special; }
  std::string BytesOf(uint32_t id) const override { return index_.bytes_of_id[id]; }
  bool IsControl(uint32_t id) const override { return index_.is_control[id]; }

  absl::StatusOr<std::vector<uint32_t>> Encode(std::string_view text) const override {
    if (text.size() >= kMaxTextBytes)
      return absl::InvalidArgumentError(fmt::format("the text has {} bytes; encode it in parts", text.size()));
    RETURN_IF_ERROR(CheckUtf8(text));
    if (chunks_ == Chunks::kNone) return BpeEncoding(index_, vocabulary_.spelling, nullptr).Run(text);
    const ChunkCaches::Lease cache(&caches_);
    return BpeEncoding(index_, vocabulary_.spelling, &*cache).Run(text);
  }

  size_t CutAfter(std::string_view text, size_t offset) const override {
    if (index_.has_uncuttable_token) return text.size();
    return vocabulary_.spelling == BpeSpelling::kBytes ? WordCutAfter(text, offset) : LineCutAfter(text, offset);
  }

  std::string ToJson() const override { return FileTokenizerJson(kind(), FileBytes(), vocabulary_.special).dump(); }
  std::string FileBytes() const override { return WriteHfTokenizerJson(vocabulary_); }
  std::string IdRules() const override { return IdRulesOf(vocabulary_); }

 private:
  BpeVocabulary vocabulary_;
  BpeIndex index_;
  const Chunks chunks_;
  ChunkCaches caches_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> MakeBpeTokenizer(BpeVocabulary vocabulary, Chunks chunks) {
  ASSIGN_OR_RETURN(BpeIndex index, IndexBpe(vocabulary));
  return std::make_unique<BpeTokenizer>(std::move(vocabulary), std::move(index), chunks);
}

absl::StatusOr<std::unique_ptr<Tokenizer>> BpeTokenizerFromJson(const nlohmann::json& json,
                                                                std::string_view file_bytes) {
  RETURN_IF_ERROR(CheckTokenizerFile(json, file_bytes));
  ASSIGN_OR_RETURN(BpeVocabulary vocabulary, ParseHfTokenizerJson(file_bytes));
  ASSIGN_OR_RETURN(vocabulary.special, SpecialTokensFromJson(json, static_cast<int64_t>(vocabulary.tokens.size())));
  return MakeBpeTokenizer(std::move(vocabulary));
}

}  // namespace ridgeline
