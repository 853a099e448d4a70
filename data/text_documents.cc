// SPDX-License-Identifier: Apache-2.0
#include "data/text_documents.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/file.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "data/text_inputs.h"
#include "weights/file_kind.h"

namespace ridgeline {
namespace {

constexpr size_t kMaxPlainBytes = size_t{1} << 34;  // What is decompressed may be a bomb.
constexpr std::string_view kCompressed[] = {".gz", ".zst", ".xz"};

bool TakeEnding(std::string_view* name, std::string_view ending) {
  if (!name->ends_with(ending)) return false;
  name->remove_suffix(ending.size());
  return true;
}

struct FreeArchive {
  void operator()(archive* reader) const { archive_read_free(reader); }
};

absl::StatusOr<std::string> Decompress(const std::string& name, const std::string& bytes) {
  const std::unique_ptr<archive, FreeArchive> reader(archive_read_new());
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_filter_zstd(reader.get());
  archive_read_support_filter_xz(reader.get());
  archive_read_support_format_raw(reader.get());
  const auto damaged = [&] {
    const char* why = archive_error_string(reader.get());
    return absl::DataLossError(fmt::format("{}: it cannot be decompressed: {}; fetch it again", name,
                                           why == nullptr ? "no reason given" : why));
  };
  archive_entry* entry = nullptr;
  if (archive_read_open_memory(reader.get(), bytes.data(), bytes.size()) != ARCHIVE_OK ||
      archive_read_next_header(reader.get(), &entry) != ARCHIVE_OK)
    return damaged();
  if (archive_filter_count(reader.get()) < 2)
    return absl::DataLossError(fmt::format("{}: it is not compressed; name it without that ending", name));
  std::string plain;
  std::array<char, 1 << 16> block;
  while (true) {
    const la_ssize_t size = archive_read_data(reader.get(), block.data(), block.size());
    if (size == 0) return plain;
    if (size < 0) return damaged();
    if (plain.size() + static_cast<size_t>(size) > kMaxPlainBytes)
      return absl::ResourceExhaustedError(fmt::format("{}: more than {} GiB are in it", name, kMaxPlainBytes >> 30));
    plain.append(block.data(), static_cast<size_t>(size));
  }
}

// Of one line of JSON.
absl::StatusOr<std::string> TextOfLine(std::string_view line, const std::string& field) {
  // What a parser says of bytes that are no UTF-8 is hard to read.
  RETURN_IF_ERROR(CheckUtf8(line));
  const nlohmann::json json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return absl::InvalidArgumentError("no JSON (a lone surrogate in a string is none, too)");
  if (!json.is_object()) return absl::InvalidArgumentError("JSON, but no object");
  const auto found = json.find(field);
  if (found == json.end())
    return absl::InvalidArgumentError(fmt::format("no field '{}'; --field names another", field));
  if (!found->is_string()) return absl::InvalidArgumentError(fmt::format("the field '{}' is no text", field));
  const std::string& text = found->get_ref<const std::string&>();
  if (text.find('\0') != std::string::npos) return absl::InvalidArgumentError("the text holds a zero byte");
  if (text.empty()) return absl::InvalidArgumentError("the text is empty");
  return text;
}

absl::Status AddLine(std::string_view line, const std::string& place, const DocumentOptions& options,
                     Documents* documents) {
  absl::StatusOr<std::string> text = std::string();
  if (static_cast<int64_t>(line.size()) > options.max_line_bytes) {
    text = absl::InvalidArgumentError(fmt::format("more than {} bytes", options.max_line_bytes));
  } else {
    text = TextOfLine(line, options.field);
  }
  if (text.ok()) {
    documents->texts.push_back(*std::move(text));
    return absl::OkStatus();
  }
  const std::string problem = fmt::format("{}: {}", place, std::string(text.status().message()));
  if (!options.skip_invalid)
    return absl::InvalidArgumentError(problem + "; --skip-invalid leaves such lines out, and counts them");
  if (documents->skipped++ == 0) documents->first_skipped = problem;
  return absl::OkStatus();
}

absl::Status AddLines(const std::string& name, std::string_view bytes, const DocumentOptions& options,
                      Documents* documents) {
  documents->is_lines = true;
  for (int64_t number = 1; !bytes.empty(); ++number) {
    const size_t end = std::min(bytes.find('\n'), bytes.size());
    std::string_view line = bytes.substr(0, end);
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
    RETURN_IF_ERROR(AddLine(line, fmt::format("{}:{}", name, number), options, documents));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Documents> ParseDocuments(const std::string& name, std::string bytes, const DocumentOptions& options) {
  const auto file_bytes = static_cast<int64_t>(bytes.size());
  const std::string sha256 = Sha256Hex(bytes);
  std::string_view kind = name;
  for (const std::string_view ending : kCompressed) {
    if (!TakeEnding(&kind, ending)) continue;
    ASSIGN_OR_RETURN(bytes, Decompress(name, bytes));
    break;
  }
  const std::string place = name == kStandardInput ? "standard input" : name;
  if (bytes.empty()) return absl::InvalidArgumentError(fmt::format("{} is empty; give a text file", place));
  RETURN_IF_ERROR(CheckFileKind(bytes, place, FileKind::kText));
  Documents documents;
  documents.bytes = file_bytes;
  documents.sha256 = sha256;
  documents.dropped_byte_order_mark = bytes.starts_with(kByteOrderMark);
  if (documents.dropped_byte_order_mark) bytes.erase(0, kByteOrderMark.size());
  if (options.json_lines || kind.ends_with(".jsonl") || kind.ends_with(".ndjson")) {
    RETURN_IF_ERROR(AddLines(place, bytes, options, &documents));
  } else {
    documents.texts.push_back(std::move(bytes));
  }
  return documents;
}

absl::StatusOr<Documents> ReadDocuments(const std::string& path, const DocumentOptions& options) {
  ASSIGN_OR_RETURN(std::string bytes, ReadFile(path == kStandardInput ? "/dev/stdin" : path));
  return ParseDocuments(path, std::move(bytes), options);
}

}  // namespace ridgeline
