// SPDX-License-Identifier: Apache-2.0
// GGUF models by their path: one file, or the parts that llama.cpp's gguf-split makes of one.
#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <utility>

#include "common/file.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "weights/file_kind.h"
#include "weights/gguf.h"
#include "weights/gguf_contents.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

constexpr char kPartNumber[] = "split.no", kPartCount[] = "split.count", kTensorCount[] = "split.tensors.count";
// "-00001-of-00003.gguf"
constexpr size_t kDigits = 5, kSuffixBytes = sizeof "-00001-of-00003.gguf" - 1;
constexpr uint64_t kMaxParts = 10'000;

std::string PartName(std::string_view stem, uint64_t number, uint64_t count) {
  return fmt::format("{}-{:05}-of-{:05}.gguf", stem, number, count);
}

struct PartOf {
  std::string stem;  // With its folder
  uint64_t number = 0, count = 0;
};

// What a file's name says of its part; nothing if it is not named as one.
std::optional<PartOf> ParsePartName(const std::string& path) {
  if (path.size() < kSuffixBytes) return std::nullopt;
  const std::string suffix = path.substr(path.size() - kSuffixBytes);
  auto number_at = [&](size_t at) {
    uint64_t number = 0;
    for (char digit : suffix.substr(at, kDigits))
      number = digit >= '0' && digit <= '9' ? 10 * number + static_cast<uint64_t>(digit - '0') : kMaxParts * kMaxParts;
    return number;
  };
  PartOf part{path.substr(0, path.size() - kSuffixBytes), number_at(1), number_at(1 + kDigits + 4)};
  const bool is_part = part.number >= 1 && part.number <= part.count && part.count <= kMaxParts &&
                       suffix == PartName("", part.number, part.count);
  return is_part ? std::optional(part) : std::nullopt;
}

uint64_t UintIn(const GgufFile& file, const char* key, uint64_t otherwise) {
  return file.FindUint(key).value_or(otherwise);
}

absl::StatusOr<GgufContents> OpenOne(const std::string& path) {
  ASSIGN_OR_RETURN(MappedFile mapping, MappedFile::Open(path));
  RETURN_IF_ERROR(CheckFileKind(mapping.bytes(), path, FileKind::kGguf));
  ASSIGN_OR_RETURN(GgufContents contents, ParseGgufContents(mapping.bytes(), path));
  contents.file.mappings.push_back(std::move(mapping));
  return contents;
}

std::unique_ptr<GgufFile> ToFile(GgufContents contents) {
  return std::make_unique<GgufFile>(std::move(contents.file), std::move(contents.values));
}

// The files of the model of which `file` at `path` says that it is a part.
absl::StatusOr<std::vector<std::string>> PartPaths(const GgufFile& file, const std::string& path) {
  const uint64_t count = UintIn(file, kPartCount, 1), number = UintIn(file, kPartNumber, 0) + 1;
  if (count <= 1) return std::vector<std::string>{path};
  const std::optional<PartOf> named = ParsePartName(path);
  if (!named || named->count != count || named->number != number)
    return absl::DataLossError(fmt::format(
        "{}: this is part {} of {} of a model; the other parts are found by its name, which has to end in {}", path,
        number, count, PartName("", number, count)));
  std::vector<std::string> paths;
  for (uint64_t i = 1; i <= count; ++i) {
    paths.push_back(PartName(named->stem, i, count));
    std::error_code error;
    if (!fs::exists(paths.back(), error))
      return absl::DataLossError(
          fmt::format("{}: this is part {} of {} of a model, and {} is not beside it; fetch all "
                      "parts into one folder",
                      path, number, count, fs::path(paths.back()).filename().string()));
  }
  return paths;
}

// Moves another part's tensors into `whole`.
absl::Status AddPart(const GgufFile& first, uint64_t number, GgufPart part, WeightFile::Contents* whole) {
  auto& [path, contents] = part;
  const GgufFile values({}, contents.values);
  const uint64_t count = UintIn(first, kPartCount, 1), said = UintIn(values, kPartNumber, 0) + 1;
  if (said != number || UintIn(values, kPartCount, 1) != count)
    return absl::DataLossError(fmt::format("{}: it says that it is part {} of {}, not {} of {}; fetch all parts again",
                                           path, said, UintIn(values, kPartCount, 1), number, count));
  std::move(contents.file.tensors.begin(), contents.file.tensors.end(), std::back_inserter(whole->tensors));
  std::move(contents.file.mappings.begin(), contents.file.mappings.end(), std::back_inserter(whole->mappings));
  return absl::OkStatus();
}

// Every tensor once, and as many as the first part says.
absl::Status CheckWhole(const std::string& path, const GgufFile& first, const WeightFile::Contents& whole) {
  std::set<std::string_view> names;
  for (const TensorView& tensor : whole.tensors)
    if (!names.insert(tensor.name).second)
      return absl::DataLossError(fmt::format("{}: tensor '{}' is in two parts; fetch all again", path, tensor.name));
  const uint64_t stated = UintIn(first, kTensorCount, names.size());
  if (stated == names.size()) return absl::OkStatus();
  return absl::DataLossError(
      fmt::format("{}: the parts hold {} tensors, the first says {}; fetch all again", path, names.size(), stated));
}

absl::StatusOr<std::unique_ptr<GgufFile>> OpenParts(const std::vector<std::string>& paths) {
  std::vector<GgufPart> parts;
  for (const std::string& path : paths) {
    ASSIGN_OR_RETURN(GgufContents contents, OpenOne(path));
    parts.push_back({path, std::move(contents)});
  }
  return JoinGgufParts(std::move(parts));
}

}  // namespace

absl::StatusOr<std::unique_ptr<GgufFile>> JoinGgufParts(std::vector<GgufPart> parts) {
  auto& [path, whole] = parts.front();
  const GgufFile first({}, whole.values);
  if (UintIn(first, kPartNumber, 0) != 0)
    return absl::DataLossError(fmt::format("{}: it says that it is another part; fetch all parts again", path));
  for (size_t i = 1; i < parts.size(); ++i) RETURN_IF_ERROR(AddPart(first, i + 1, std::move(parts[i]), &whole.file));
  RETURN_IF_ERROR(CheckWhole(path, first, whole.file));
  // Joined, it is no part any more: who copies its metadata writes a whole file.
  std::erase_if(whole.values, [](const auto& value) { return value.first.starts_with("split."); });
  return ToFile(std::move(whole));
}

absl::StatusOr<std::vector<std::string>> GgufPartsOf(const std::string& path) {
  ASSIGN_OR_RETURN(GgufContents contents, OpenOne(path));
  return PartPaths(*ToFile(std::move(contents)), path);
}

absl::StatusOr<std::unique_ptr<GgufFile>> OpenGguf(const std::string& path) {
  ASSIGN_OR_RETURN(GgufContents contents, OpenOne(path));
  std::unique_ptr<GgufFile> file = ToFile(std::move(contents));
  ASSIGN_OR_RETURN(const std::vector<std::string> paths, PartPaths(*file, path));
  if (paths.size() == 1) return file;
  return OpenParts(paths);
}

absl::StatusOr<std::string> OnlyGgufIn(const std::string& folder) {
  std::set<std::string> models;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() != ".gguf") continue;
    const std::string path = entry.path().string();
    const std::optional<PartOf> part = ParsePartName(path);
    models.insert(part ? PartName(part->stem, 1, part->count) : path);
  }
  if (error) return ErrnoStatus(error.value(), fmt::format("listing {}", folder));
  if (models.size() > 1)
    return absl::InvalidArgumentError(fmt::format("{} holds {} .gguf models: name one of them", folder, models.size()));
  return models.empty() ? std::string() : *models.begin();
}

}  // namespace ridgeline
