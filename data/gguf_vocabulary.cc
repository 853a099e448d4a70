// SPDX-License-Identifier: Apache-2.0
#include "data/gguf_vocabulary.h"

#include "common/status_macros.h"
#include "common/utf8.h"
#include "data/bpe_tokenizer.h"
#include "data/hf_json.h"
#include "data/piece_spelling.h"
#include "data/sentencepiece_tokenizer.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

constexpr char kModel[] = "tokenizer.ggml.model";
constexpr char kTokens[] = "tokenizer.ggml.tokens";
constexpr char kTokenTypes[] = "tokenizer.ggml.token_type";

// Words cut as GPT-2 cuts them; files from before the key existed have no name for it.
constexpr std::string_view kGpt2Words[] = {"", "gpt-2", "gpt2"};

absl::StatusOr<std::vector<std::string_view>> TokensOf(const GgufFile& file) {
  auto tokens = file.FindStringArray(kTokens);
  if (!tokens.has_value() || tokens->empty()) return Wrong(kTokens, "a list of texts");
  return *std::move(tokens);
}

absl::StatusOr<std::vector<PieceType>> TypesOf(const GgufFile& file, size_t count) {
  const auto types = file.FindIntArray(kTokenTypes);
  if (!types.has_value() || types->size() != count) return Wrong(kTokenTypes, fmt::format("a list of {} types", count));
  std::vector<PieceType> result;
  for (int64_t type : *types) {
    if (type < 1 || type > 6) return Wrong(kTokenTypes, "a list of types from 1 to 6");
    result.push_back(static_cast<PieceType>(type));
  }
  return result;
}

absl::StatusOr<std::optional<uint32_t>> IdAt(const GgufFile& file, const char* key, size_t count) {
  if (!file.values().contains(key)) return std::nullopt;
  const auto id = file.FindUint(key);
  if (!id.has_value() || *id >= count) return Wrong(key, fmt::format("an id below {}", count));
  return static_cast<uint32_t>(*id);
}

absl::StatusOr<SpecialTokens> SpecialTokensOf(const GgufFile& file, size_t count, bool adds_bos_by_default) {
  SpecialTokens special;
  ASSIGN_OR_RETURN(special.bos_id, IdAt(file, "tokenizer.ggml.bos_token_id", count));
  ASSIGN_OR_RETURN(special.eos_id, IdAt(file, "tokenizer.ggml.eos_token_id", count));
  const bool adds_bos = file.FindBool("tokenizer.ggml.add_bos_token").value_or(adds_bos_by_default);
  special.prompt_begins_with_bos = adds_bos && special.bos_id.has_value();
  return special;
}

// llama.cpp's converter stores user-defined pieces with plain spaces, and some files mark the unknown piece as control.
absl::Status ReadPieces(const GgufFile& file, SentencePieceVocabulary* vocabulary) {
  ASSIGN_OR_RETURN(const std::vector<std::string_view> tokens, TokensOf(file));
  ASSIGN_OR_RETURN(const std::vector<PieceType> types, TypesOf(file, tokens.size()));
  const auto scores = file.FindFloatArray("tokenizer.ggml.scores");
  if (!scores.has_value() || scores->size() != tokens.size())
    return Wrong("tokenizer.ggml.scores", fmt::format("a list of {} numbers", tokens.size()));
  ASSIGN_OR_RETURN(const auto unknown_id, IdAt(file, "tokenizer.ggml.unknown_token_id", tokens.size()));
  for (size_t id = 0; id < tokens.size(); ++id) {
    const PieceType type = id == unknown_id ? PieceType::kUnknown : types[id];
    vocabulary->byte_fallback |= type == PieceType::kByte;
    vocabulary->pieces.push_back({SpellSpaces(tokens[id]), (*scores)[id], type});
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Tokenizer>> FromPieces(const GgufFile& file) {
  SentencePieceVocabulary vocabulary;
  RETURN_IF_ERROR(ReadPieces(file, &vocabulary));
  vocabulary.algorithm = SentencePieceAlgorithm::kBpe;
  vocabulary.normalizer_name = "identity";
  vocabulary.add_dummy_prefix = file.FindBool("tokenizer.ggml.add_space_prefix").value_or(true);
  vocabulary.remove_extra_whitespaces = file.FindBool("tokenizer.ggml.remove_extra_whitespaces").value_or(false);
  ASSIGN_OR_RETURN(const SpecialTokens special,
                   SpecialTokensOf(file, vocabulary.pieces.size(), /*adds_bos_by_default=*/true));
  vocabulary.bos_id = special.bos_id;
  vocabulary.eos_id = special.eos_id;
  return MakeSentencePieceTokenizer(std::move(vocabulary), special);
}

absl::Status CheckWords(const GgufFile& file) {
  const std::string_view words = file.FindString("tokenizer.ggml.pre").value_or("");
  for (std::string_view known : kGpt2Words) {
    if (words == known) return absl::OkStatus();
  }
  return absl::UnimplementedError(
      fmt::format("'tokenizer.ggml.pre' is '{}'; Ridgeline cuts words as GPT-2 does ('gpt-2')", ToValidUtf8(words)));
}

absl::Status ReadMerges(const GgufFile& file, BpeVocabulary* vocabulary) {
  const auto merges = file.FindStringArray("tokenizer.ggml.merges");
  if (!merges.has_value()) return Wrong("tokenizer.ggml.merges", "a list of texts");
  for (std::string_view merge : *merges) {
    auto pair = SplitMerge(merge);
    if (!pair.has_value()) return Wrong("tokenizer.ggml.merges", "a list of pairs with one space");
    vocabulary->merges.push_back(*std::move(pair));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Tokenizer>> FromMerges(const GgufFile& file) {
  RETURN_IF_ERROR(CheckWords(file));
  BpeVocabulary vocabulary;
  ASSIGN_OR_RETURN(const std::vector<std::string_view> tokens, TokensOf(file));
  ASSIGN_OR_RETURN(const std::vector<PieceType> types, TypesOf(file, tokens.size()));
  vocabulary.tokens.assign(tokens.begin(), tokens.end());
  for (size_t id = 0; id < tokens.size(); ++id) {
    const bool is_control = types[id] == PieceType::kControl || types[id] == PieceType::kUnknown;
    if (is_control || types[id] == PieceType::kUserDefined)
      vocabulary.added.push_back({static_cast<uint32_t>(id), vocabulary.tokens[id], is_control});
  }
  RETURN_IF_ERROR(ReadMerges(file, &vocabulary));
  ASSIGN_OR_RETURN(vocabulary.special, SpecialTokensOf(file, tokens.size(), /*adds_bos_by_default=*/false));
  return MakeBpeTokenizer(std::move(vocabulary));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> MakeTokenizerFromGguf(const GgufFile& file) {
  const auto model = file.FindString(kModel);
  if (!model.has_value())
    return absl::NotFoundError(fmt::format("the GGUF file carries no tokenizer (it has no '{}')", kModel));
  if (*model == "llama") return FromPieces(file);
  if (*model == "gpt2") return FromMerges(file);
  return absl::UnimplementedError(
      fmt::format("'{}' is '{}'; Ridgeline reads 'llama' (SentencePiece BPE) and 'gpt2' (byte-level BPE)", kModel,
                  ToValidUtf8(*model)));
}

}  // namespace ridgeline
