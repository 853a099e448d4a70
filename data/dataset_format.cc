// SPDX-License-Identifier: Apache-2.0
#include "data/dataset_format.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "common/status_macros.h"
#include "common/utf8.h"
#include "data/same_tokenizer.h"
#include "fmt/format.h"
#include "weights/json.h"

namespace ridgeline {
namespace {

using Json = nlohmann::json;

static_assert(std::endian::native == std::endian::little, "token files are mapped as they lie on disk");

constexpr char kFormatName[] = "ridgeline-dataset";
constexpr int64_t kFormatVersion = 1;
constexpr int64_t kMaxTokens = int64_t{1} << 48;

struct TokenHeader {
  char magic[8];
  uint32_t version;
  uint32_t token_bytes;
  uint64_t count;
  uint64_t vocab_size;
  char zeros[32];
};
static_assert(sizeof(TokenHeader) == kTokenHeaderBytes);

constexpr char kMagic[8] = {'R', 'D', 'G', 'T', 'O', 'K', 'E', 'N'};
constexpr uint32_t kTokenFileVersion = 1;

absl::Status Wrong(const std::string& key, const std::string& expected) {
  return absl::InvalidArgumentError(fmt::format("'{}' is missing or not {}", key, expected));
}

absl::StatusOr<std::string> TextAt(const Json& json, const std::string& key) {
  auto place = json.find(key);
  if (place == json.end() || !place->is_string()) return Wrong(key, "a text");
  return place->get<std::string>();
}

absl::StatusOr<Json> ObjectAt(const Json& json, const std::string& key) {
  auto place = json.find(key);
  if (place == json.end() || !place->is_object()) return Wrong(key, "an object");
  return *place;
}

absl::StatusOr<int64_t> CountAt(const Json& json, const std::string& key, int64_t max) {
  auto place = json.find(key);
  if (place == json.end() || !place->is_number_unsigned() || place->get<uint64_t>() > static_cast<uint64_t>(max))
    return Wrong(key, fmt::format("a whole number up to {}", max));
  return place->get<int64_t>();
}

absl::StatusOr<std::string> HashAt(const Json& json, const std::string& key) {
  ASSIGN_OR_RETURN(std::string hash, TextAt(json, key));
  if (hash.size() != 64 || hash.find_first_not_of("0123456789abcdef") != std::string::npos)
    return Wrong(key, "64 lower-case hex digits");
  return hash;
}

absl::Status CheckFormat(const Json& json) {
  ASSIGN_OR_RETURN(std::string format, TextAt(json, "format"));
  if (format != kFormatName) return Wrong("format", fmt::format("'{}'", kFormatName));
  ASSIGN_OR_RETURN(int64_t version, CountAt(json, "version", 1'000'000));
  if (version == kFormatVersion) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("dataset version {} is not the version {} that this program reads", version, kFormatVersion));
}

absl::Status ReadSplit(const Json& json, const std::string& key, int64_t* tokens, std::string* sha256) {
  ASSIGN_OR_RETURN(Json split, ObjectAt(json, key));
  ASSIGN_OR_RETURN(*tokens, CountAt(split, "tokens", kMaxTokens));
  ASSIGN_OR_RETURN(*sha256, HashAt(split, "sha256"));
  if (*tokens < 2) return Wrong(key + ".tokens", "at least 2");
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Tokenizer>> ReadTokenizer(const Json& json, const ReadTokenizerFile& read_file) {
  ASSIGN_OR_RETURN(const std::string kind, TextAt(json, "kind"));
  const std::string file_name = TokenizerFileName(kind);
  std::string file_bytes;
  if (!file_name.empty()) {
    ASSIGN_OR_RETURN(file_bytes, read_file(file_name));
  }
  return LoadTokenizer(json.dump(), file_bytes);
}

// Datasets from before these keys have none of them.
absl::Status ReadSources(const Json& json, DatasetInfo* info) {
  if (!json.contains("sources")) return absl::OkStatus();
  ASSIGN_OR_RETURN(info->documents, CountAt(json, "documents", kMaxTokens));
  ASSIGN_OR_RETURN(info->skipped, CountAt(json, "skipped_lines", kMaxTokens));
  if (!json["sources"].is_array()) return Wrong("sources", "a list");
  for (const Json& each : json["sources"]) {
    if (!each.is_object()) return Wrong("sources", "a list of objects");
    DatasetSource& source = info->sources.emplace_back();
    ASSIGN_OR_RETURN(source.path, TextAt(each, "path"));
    ASSIGN_OR_RETURN(source.bytes, CountAt(each, "bytes", kMaxTokens));
    ASSIGN_OR_RETURN(source.sha256, HashAt(each, "sha256"));
    ASSIGN_OR_RETURN(source.documents, CountAt(each, "documents", kMaxTokens));
  }
  return absl::OkStatus();
}

// Datasets from before the key have none: their tokenizer lies beside them all the same.
absl::Status CheckTokenizerHash(const Json& json, const Tokenizer& tokenizer, DatasetInfo* info) {
  info->tokenizer_sha256 = TokenizerHash(tokenizer);
  if (!json.contains("tokenizer_sha256")) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string recorded, HashAt(json, "tokenizer_sha256"));
  if (recorded == info->tokenizer_sha256) return absl::OkStatus();
  return absl::InvalidArgumentError("'tokenizer_sha256' is another tokenizer's than the one described here");
}

}  // namespace

absl::Status CheckDatasetName(const std::string& name) {
  auto code_points = Utf8ToCodePoints(name);
  bool printable = code_points.ok() && std::all_of(code_points->begin(), code_points->end(), [](char32_t c) {
                     return c >= 0x20 && c != '/' && c != 0x7F && !(c >= 0x80 && c < 0xA0);
                   });
  if (printable && !name.empty() && name.size() <= 200) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "a dataset's name must be 1 to 200 bytes of printable UTF-8 without '/'; choose one with --name");
}

static nlohmann::ordered_json SourcesToJson(const std::vector<DatasetSource>& sources) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const DatasetSource& source : sources)
    json.push_back({{"path", ToValidUtf8(source.path)},
                    {"bytes", source.bytes},
                    {"sha256", source.sha256},
                    {"documents", source.documents}});
  return json;
}

std::string DatasetManifestToJson(const DatasetInfo& info, const Tokenizer& tokenizer) {
  nlohmann::ordered_json json = {
      {"format", kFormatName},
      {"version", kFormatVersion},
      {"name", info.name},
      {"text_sha256", info.text_sha256},
      {"sources", SourcesToJson(info.sources)},
      {"documents", info.documents},
      {"skipped_lines", info.skipped},
      {"train_fraction", info.train_fraction},
      {"train", {{"tokens", info.train_tokens}, {"sha256", info.train_sha256}}},
      {"validation", {{"tokens", info.validation_tokens}, {"sha256", info.validation_sha256}}},
      {"vocab_size", info.vocab_size},
      {"tokenizer_sha256", TokenizerHash(tokenizer)},
      {"tokenizer", nlohmann::ordered_json::parse(tokenizer.ToJson())},
  };
  return json.dump(1) + "\n";
}

absl::StatusOr<DatasetManifest> ParseDatasetManifest(const std::string& text, const ReadTokenizerFile& read_file) {
  ASSIGN_OR_RETURN(const Json json, ParseJsonObject(text));
  RETURN_IF_ERROR(CheckFormat(json));
  DatasetManifest manifest;
  DatasetInfo& info = manifest.info;
  ASSIGN_OR_RETURN(info.name, TextAt(json, "name"));
  RETURN_IF_ERROR(CheckDatasetName(info.name));
  ASSIGN_OR_RETURN(info.text_sha256, HashAt(json, "text_sha256"));
  RETURN_IF_ERROR(ReadSources(json, &info));
  auto fraction = json.find("train_fraction");
  if (fraction == json.end() || !fraction->is_number()) return Wrong("train_fraction", "a number");
  info.train_fraction = fraction->get<double>();
  if (!(info.train_fraction > 0 && info.train_fraction < 1)) return Wrong("train_fraction", "between 0 and 1");
  RETURN_IF_ERROR(ReadSplit(json, "train", &info.train_tokens, &info.train_sha256));
  RETURN_IF_ERROR(ReadSplit(json, "validation", &info.validation_tokens, &info.validation_sha256));
  ASSIGN_OR_RETURN(info.vocab_size, CountAt(json, "vocab_size", int64_t{1} << 32));
  ASSIGN_OR_RETURN(Json tokenizer, ObjectAt(json, "tokenizer"));
  ASSIGN_OR_RETURN(manifest.tokenizer, ReadTokenizer(tokenizer, read_file));
  info.tokenizer_kind = manifest.tokenizer->kind();
  RETURN_IF_ERROR(CheckTokenizerHash(json, *manifest.tokenizer, &info));
  if (info.vocab_size == manifest.tokenizer->vocab_size()) return manifest;
  return absl::InvalidArgumentError(fmt::format("'vocab_size' is {}, but the tokenizer has {} entries", info.vocab_size,
                                                manifest.tokenizer->vocab_size()));
}

std::string EncodeTokenFile(std::span<const uint32_t> ids, int64_t vocab_size) {
  TokenHeader header{};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.version = kTokenFileVersion;
  header.token_bytes = sizeof(uint32_t);
  header.count = ids.size();
  header.vocab_size = static_cast<uint64_t>(vocab_size);
  std::string bytes(sizeof header + ids.size_bytes(), '\0');
  std::memcpy(bytes.data(), &header, sizeof header);
  if (!ids.empty()) std::memcpy(bytes.data() + sizeof header, ids.data(), ids.size_bytes());
  return bytes;
}

absl::StatusOr<std::span<const uint32_t>> ParseTokenFile(std::string_view bytes, int64_t tokens, int64_t vocab_size) {
  auto wrong = [](const std::string& what) { return absl::InvalidArgumentError(what); };
  if (bytes.size() < kTokenHeaderBytes)
    return wrong(fmt::format("{} bytes, less than the header of {}", bytes.size(), kTokenHeaderBytes));
  TokenHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0) return wrong("does not begin with RDGTOKEN");
  if (header.version != kTokenFileVersion || header.token_bytes != sizeof(uint32_t)) {
    return wrong(fmt::format("version {} with {} bytes a token; this program reads version {} with {}", header.version,
                             header.token_bytes, kTokenFileVersion, sizeof(uint32_t)));
  }
  if (header.count != static_cast<uint64_t>(tokens) || header.vocab_size != static_cast<uint64_t>(vocab_size)) {
    return wrong(fmt::format("header says {} tokens of a vocabulary of {}, dataset.json says {} of {}", header.count,
                             header.vocab_size, tokens, vocab_size));
  }
  // Compared in tokens: count x 4 could overflow.
  size_t body_bytes = bytes.size() - kTokenHeaderBytes;
  if (body_bytes % sizeof(uint32_t) != 0 || body_bytes / sizeof(uint32_t) != header.count)
    return wrong(fmt::format("{} bytes of ids, but the header says {} tokens", body_bytes, header.count));
  std::span<const uint32_t> ids(reinterpret_cast<const uint32_t*>(bytes.data() + kTokenHeaderBytes), header.count);
  auto outside = std::find_if(ids.begin(), ids.end(), [&](uint32_t id) { return id >= header.vocab_size; });
  if (outside == ids.end()) return ids;
  return wrong(fmt::format("token {} is id {}, outside the vocabulary of {}", outside - ids.begin(), *outside,
                           header.vocab_size));
}

}  // namespace ridgeline
