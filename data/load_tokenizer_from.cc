// SPDX-License-Identifier: Apache-2.0
#include "data/load_tokenizer_from.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "common/file.h"
#include "common/status_macros.h"
#include "data/bpe_tokenizer.h"
#include "data/dataset_format.h"
#include "data/gguf_vocabulary.h"
#include "data/hf_tokenizer_json.h"
#include "data/sentencepiece_tokenizer.h"
#include "data/vocab_and_merges.h"
#include "fmt/format.h"
#include "weights/file_kind.h"
#include "weights/gguf.h"
#include "weights/mapped_file.h"
#include "weights/model_store.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

// Gemma 3's tokenizer.json has 33 MB.
constexpr size_t kMaxTokenizerBytes = size_t{1} << 28;
constexpr char kAccepted[] =
    "a tokenizer is a SentencePiece model (tokenizer.model), a GGUF file, a Hugging Face tokenizer.json, a vocab.json "
    "with merges.txt beside it, or a folder with one of these";

absl::Status At(const fs::path& path, const absl::Status& status) {
  return absl::Status(status.code(), fmt::format("{}: {}", path.string(), std::string(status.message())));
}

absl::StatusOr<std::string> ReadTokenizerFile(const fs::path& path, FileKind wanted) {
  ASSIGN_OR_RETURN(std::string bytes, ReadFile(path.string(), kMaxTokenizerBytes));
  RETURN_IF_ERROR(CheckFileKind(bytes, path.string(), wanted));
  return bytes;
}

// Applies tokenizer_config.json beside the tokenizer, if there is one.
absl::Status ApplyConfigBeside(const fs::path& path,
                               const std::function<std::optional<uint32_t>(std::string_view)>& id_of,
                               SpecialTokens* special) {
  const fs::path config_path = path.parent_path() / "tokenizer_config.json";
  auto config = ReadTokenizerFile(config_path, FileKind::kJson);
  if (absl::IsNotFound(config.status())) return absl::OkStatus();
  if (!config.ok()) return config.status();
  const absl::Status applied = ApplyHfTokenizerConfig(*config, id_of, special);
  return applied.ok() ? applied : At(config_path, applied);
}

absl::StatusOr<std::unique_ptr<Tokenizer>> FromBpe(const fs::path& path, BpeVocabulary vocabulary) {
  auto id_of = [&](std::string_view text) -> std::optional<uint32_t> {
    auto place = std::find(vocabulary.tokens.begin(), vocabulary.tokens.end(), text);
    if (place == vocabulary.tokens.end()) return std::nullopt;
    return static_cast<uint32_t>(place - vocabulary.tokens.begin());
  };
  RETURN_IF_ERROR(ApplyConfigBeside(path, id_of, &vocabulary.special));
  return MakeBpeTokenizer(std::move(vocabulary));
}

absl::StatusOr<std::unique_ptr<Tokenizer>> FromJsonFile(const fs::path& path) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadTokenizerFile(path, FileKind::kJson));
  const fs::path merges_path = path.parent_path() / "merges.txt";
  std::error_code ignored;
  if (path.filename() != "vocab.json" || !fs::exists(merges_path, ignored)) {
    ASSIGN_OR_RETURN(BpeVocabulary vocabulary, ParseHfTokenizerJson(bytes));
    return FromBpe(path, std::move(vocabulary));
  }
  ASSIGN_OR_RETURN(const std::string merges, ReadTokenizerFile(merges_path, FileKind::kText));
  ASSIGN_OR_RETURN(BpeVocabulary vocabulary, ParseVocabAndMerges(bytes, merges));
  return FromBpe(path, std::move(vocabulary));
}

absl::StatusOr<std::unique_ptr<Tokenizer>> FromModelFile(const fs::path& path) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path.string(), kMaxTokenizerBytes));
  auto vocabulary = ParseSentencePieceModel(bytes);
  if (!vocabulary.ok()) {
    return absl::Status(vocabulary.status().code(),
                        fmt::format("{}; {}", std::string(vocabulary.status().message()), kAccepted));
  }
  SpecialTokens special = SpecialTokensOf(*vocabulary);
  auto id_of = [&](std::string_view text) -> std::optional<uint32_t> {
    auto place = std::find_if(vocabulary->pieces.begin(), vocabulary->pieces.end(),
                              [&](const auto& piece) { return piece.text == text; });
    if (place == vocabulary->pieces.end()) return std::nullopt;
    return static_cast<uint32_t>(place - vocabulary->pieces.begin());
  };
  RETURN_IF_ERROR(ApplyConfigBeside(path, id_of, &special));
  return MakeSentencePieceTokenizer(*std::move(vocabulary), special);
}

absl::StatusOr<std::unique_ptr<Tokenizer>> FromFile(const fs::path& path) {
  ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path.string()));
  std::string_view bytes = file.bytes();
  RETURN_IF_ERROR(CheckFileKind(bytes, path.string(), FileKind::kTokenizer));
  if (bytes.starts_with("GGUF")) {
    ASSIGN_OR_RETURN(const auto gguf, OpenGguf(path.string()));
    return MakeTokenizerFromGguf(*gguf);
  }
  if (bytes.starts_with(kByteOrderMark)) bytes.remove_prefix(kByteOrderMark.size());
  const size_t text = bytes.find_first_not_of(" \t\r\n");
  // A SentencePiece model begins with its first piece, a line break as byte, but no brace after it.
  const bool is_json = text != std::string_view::npos && bytes[text] == '{';
  return is_json ? FromJsonFile(path) : FromModelFile(path);
}

// A job's model keeps its dataset's description, which says what the tokenizer is where no other file does.
absl::StatusOr<std::unique_ptr<Tokenizer>> FromDataset(const fs::path& folder) {
  const fs::path path = folder / kDatasetFile;
  ASSIGN_OR_RETURN(const std::string json, ReadFile(path.string(), kMaxTokenizerBytes));
  auto manifest =
      ParseDatasetManifest(json, [&](const std::string& name) { return ReadFile((folder / name).string()); });
  if (!manifest.ok()) return At(path, manifest.status());
  return std::move(manifest->tokenizer);
}

absl::StatusOr<fs::path> TokenizerFileIn(const fs::path& folder) {
  std::error_code ignored;
  for (const char* name : {"tokenizer.model", "tokenizer.json"}) {
    if (fs::exists(folder / name, ignored)) return folder / name;
  }
  ASSIGN_OR_RETURN(const std::string gguf, OnlyGgufIn(folder.string()));
  if (!gguf.empty()) return fs::path(gguf);
  if (fs::exists(folder / "vocab.json", ignored) && fs::exists(folder / "merges.txt", ignored))
    return folder / "vocab.json";
  return absl::NotFoundError(fmt::format("{} holds no tokenizer; {}", folder.string(), kAccepted));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> LoadTokenizerFrom(const std::string& path) {
  auto found = ResolveModelPath(path);
  if (!found.ok())
    return absl::NotFoundError(
        fmt::format("there is no tokenizer at '{}'; {}; or an imported model's name", path, kAccepted));
  fs::path file = *found;
  std::error_code ignored;
  if (fs::is_directory(file, ignored)) {
    if (fs::exists(file / kDatasetFile, ignored)) return FromDataset(file);
    ASSIGN_OR_RETURN(file, TokenizerFileIn(file));
  }
  auto tokenizer = FromFile(file);
  if (tokenizer.ok() || absl::StrContains(tokenizer.status().message(), file.string())) return tokenizer;
  return At(file, tokenizer.status());
}

}  // namespace ridgeline
