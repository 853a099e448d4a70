// SPDX-License-Identifier: Apache-2.0
#include "worker/checkpoint/store/manifest.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "common/artifact_files.h"
#include "common/file.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "nlohmann/json.hpp"
#include "weights/json.h"

namespace ridgeline {
namespace {

using Json = nlohmann::json;

constexpr int kFormat = 2;
constexpr int kFormatOfOneFile = 1;  // Written up to version 0.1.0: files, and no tensors.
constexpr JsonOptions kManifestJson = {.max_depth = 8, .max_bytes = size_t{1} << 28};

absl::Status Wrong(const std::string& what) { return absl::DataLossError(fmt::format("{}: {}", kManifestFile, what)); }

int64_t CountOf(const Json& json) {
  if (!json.is_number_integer() || (json.is_number_unsigned() && json.get<uint64_t>() > uint64_t{INT64_MAX}) ||
      json.get<int64_t>() < 0)
    throw std::runtime_error(json.dump() + " is no count");
  return json.get<int64_t>();
}

CheckpointFile FileOf(const Json& json) {
  return {.name = json.at("name").get<std::string>(),
          .bytes = CountOf(json.at("bytes")),
          .sha256 = json.at("sha256").get<std::string>()};
}

CheckpointTensor TensorOf(const Json& json) {
  CheckpointTensor tensor;
  const std::string dtype = json.at("dtype").get<std::string>();
  const std::optional<Dtype> known = DtypeFromSafetensors(dtype);
  if (!known) throw std::runtime_error("there is no dtype '" + dtype + "'");
  tensor.dtype = *known;
  for (const Json& size : json.at("shape")) tensor.shape.push_back(CountOf(size));
  for (const Json& shard : json.at("shards")) {
    if (shard.size() != 3) throw std::runtime_error("a shard is file, first row and rows");
    tensor.shards.push_back({.file = static_cast<size_t>(CountOf(shard.at(0))),
                             .begin_row = CountOf(shard.at(1)),
                             .rows = CountOf(shard.at(2))});
  }
  return tensor;
}

CheckpointManifest ManifestOf(const Json& json) {
  CheckpointManifest manifest;
  manifest.step = CountOf(json.at("step"));
  manifest.job_id = json.at("job_id").get<std::string>();
  manifest.recipe_sha256 = json.at("recipe_sha256").get<std::string>();
  // The first versions of format 1 wrote neither.
  if (json.contains("skipped_steps")) manifest.skipped_steps = CountOf(json.at("skipped_steps"));
  if (json.contains("skipped_in_a_row")) manifest.skipped_in_a_row = CountOf(json.at("skipped_in_a_row"));
  if (json.contains("validation_loss")) manifest.validation_loss = json.at("validation_loss").get<double>();
  manifest.ranks = json.contains("ranks") ? static_cast<int>(std::min<int64_t>(CountOf(json.at("ranks")), 1 << 20)) : 1;
  manifest.version = json.value("version", "");
  for (const Json& file : json.at("files")) manifest.files.push_back(FileOf(file));
  if (json.at("format") == kFormat)
    for (const auto& [name, tensor] : json.at("tensors").items()) manifest.tensors[name] = TensorOf(tensor);
  return manifest;
}

absl::Status CheckFiles(const CheckpointManifest& manifest) {
  std::set<std::string> names;
  for (const CheckpointFile& file : manifest.files) {
    if (const absl::Status name = CheckPlainName(file.name); !name.ok()) return Wrong(std::string(name.message()));
    if (!file.name.ends_with(".safetensors")) return Wrong(fmt::format("file '{}' is no safetensors file", file.name));
    if (!names.insert(file.name).second) return Wrong(fmt::format("file '{}' is listed twice", file.name));
  }
  return manifest.files.empty() ? Wrong("it lists no file") : absl::OkStatus();
}

// Every row once, in order.
absl::Status CheckShards(const std::string& name, const CheckpointTensor& tensor, size_t files) {
  int64_t next = 0;
  for (const CheckpointShard& shard : tensor.shards) {
    if (shard.file >= files) return Wrong(fmt::format("tensor '{}' is in a file that is not listed", name));
    if (shard.begin_row != next || shard.rows > tensor.rows() - next)
      return Wrong(fmt::format("tensor '{}' of {} rows has a shard of {} rows from row {} after row {}", name,
                               tensor.rows(), shard.rows, shard.begin_row, next - 1));
    next += shard.rows;
  }
  if (next != tensor.rows())
    return Wrong(fmt::format("tensor '{}' lacks rows: its shards hold {} of {}", name, next, tensor.rows()));
  return absl::OkStatus();
}

absl::Status CheckTensors(const CheckpointManifest& manifest) {
  for (const auto& [name, tensor] : manifest.tensors) RETURN_IF_ERROR(CheckShards(name, tensor, manifest.files.size()));
  return absl::OkStatus();
}

// Without a look at whether it is complete.
absl::StatusOr<CheckpointManifest> ParsePart(std::string_view text) {
  const absl::StatusOr<Json> json = ParseJsonObject(text, kManifestJson);
  if (!json.ok()) return Wrong(std::string(json.status().message()));
  try {
    const Json& format = json->at("format");
    if (format != kFormat && format != kFormatOfOneFile)
      return Wrong(fmt::format("format {} is not one that this version knows", format.dump()));
    CheckpointManifest manifest = ManifestOf(*json);
    if (format == kFormatOfOneFile && manifest.files.size() != 1) return Wrong("format 1 has one file");
    return manifest;
  } catch (const std::exception& error) {
    return Wrong(error.what());
  }
}

// `entries`, each on a line of its own.
std::string Lines(char open, const std::vector<std::string>& entries, char close) {
  if (entries.empty()) return fmt::format("{}{}", open, close);
  return fmt::format("{}\n    {}\n  {}", open, fmt::join(entries, ",\n    "), close);
}

std::string FilesAsText(const CheckpointManifest& manifest) {
  std::vector<std::string> lines;
  for (const CheckpointFile& file : manifest.files)
    lines.push_back(
        nlohmann::ordered_json({{"name", file.name}, {"bytes", file.bytes}, {"sha256", file.sha256}}).dump());
  return Lines('[', lines, ']');
}

std::string TensorsAsText(const CheckpointManifest& manifest) {
  std::vector<std::string> lines;
  for (const auto& [name, tensor] : manifest.tensors) {
    nlohmann::ordered_json shards = nlohmann::ordered_json::array();
    for (const CheckpointShard& shard : tensor.shards)
      shards.push_back(nlohmann::ordered_json::array({shard.file, shard.begin_row, shard.rows}));
    const nlohmann::ordered_json json = {
        {"dtype", SafetensorsName(tensor.dtype)}, {"shape", tensor.shape}, {"shards", shards}};
    lines.push_back(fmt::format("{}: {}", Json(name).dump(), json.dump()));
  }
  return Lines('{', lines, '}');
}

// Files of `part` follow those of `whole`.
absl::Status AddPart(CheckpointManifest part, CheckpointManifest* whole) {
  const size_t first = whole->files.size();
  std::move(part.files.begin(), part.files.end(), std::back_inserter(whole->files));
  for (auto& [name, tensor] : part.tensors) {
    for (CheckpointShard& shard : tensor.shards) shard.file += first;
    auto [there, is_new] = whole->tensors.try_emplace(name, tensor);
    if (is_new) continue;
    if (there->second.dtype != tensor.dtype || there->second.shape != tensor.shape)
      return Wrong(fmt::format("ranks have tensor '{}' with other shapes or dtypes", name));
    there->second.shards.insert(there->second.shards.end(), tensor.shards.begin(), tensor.shards.end());
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<int64_t> CheckpointTensor::ShapeOf(const CheckpointShard& shard) const {
  std::vector<int64_t> sizes = shape;
  if (!sizes.empty()) sizes[0] = shard.rows;
  return sizes;
}

int64_t CheckpointManifest::FileBytes() const {
  int64_t bytes = 0;
  for (const CheckpointFile& file : files) bytes += file.bytes;
  return bytes;
}

std::string FormatManifest(const CheckpointManifest& manifest) {
  nlohmann::ordered_json header = {{"format", kFormat},
                                   {"step", manifest.step},
                                   {"job_id", manifest.job_id},
                                   {"recipe_sha256", manifest.recipe_sha256},
                                   {"skipped_steps", manifest.skipped_steps},
                                   {"skipped_in_a_row", manifest.skipped_in_a_row},
                                   {"ranks", manifest.ranks},
                                   {"version", manifest.version}};
  if (manifest.validation_loss) header["validation_loss"] = *manifest.validation_loss;
  std::string text = header.dump(2);
  text.erase(text.find_last_of('\n'));  // And its closing brace.
  return fmt::format("{},\n  \"files\": {},\n  \"tensors\": {}\n}}\n", text, FilesAsText(manifest),
                     TensorsAsText(manifest));
}

absl::StatusOr<CheckpointManifest> ParseManifest(std::string_view text) {
  ASSIGN_OR_RETURN(CheckpointManifest manifest, ParsePart(text));
  RETURN_IF_ERROR(CheckFiles(manifest));
  RETURN_IF_ERROR(CheckTensors(manifest));
  return manifest;
}

absl::StatusOr<CheckpointManifest> ReadManifest(const std::string& folder) {
  const std::filesystem::path file = std::filesystem::path(folder) / kManifestFile;
  std::error_code error;
  if (std::filesystem::exists(file, error) && !std::filesystem::is_regular_file(file, error))
    return absl::DataLossError(fmt::format("checkpoint {}: {} is no file", folder, kManifestFile));
  ASSIGN_OR_RETURN(const std::string text, ReadFile(file.string(), kManifestJson.max_bytes));
  absl::StatusOr<CheckpointManifest> manifest = ParseManifest(text);
  if (!manifest.ok())
    return absl::DataLossError(fmt::format("checkpoint {}: {}", folder, std::string(manifest.status().message())));
  return manifest;
}

absl::StatusOr<CheckpointManifest> MergeManifests(const std::vector<std::string>& parts) {
  CheckpointManifest whole;
  for (size_t i = 0; i < parts.size(); ++i) {
    ASSIGN_OR_RETURN(CheckpointManifest part, ParsePart(parts[i]));
    if (i == 0) {
      whole = std::move(part);
    } else {
      RETURN_IF_ERROR(AddPart(std::move(part), &whole));
    }
  }
  for (auto& [name, tensor] : whole.tensors)
    std::stable_sort(tensor.shards.begin(), tensor.shards.end(),
                     [](const CheckpointShard& a, const CheckpointShard& b) { return a.begin_row < b.begin_row; });
  RETURN_IF_ERROR(CheckFiles(whole));
  RETURN_IF_ERROR(CheckTensors(whole));
  return whole;
}

}  // namespace ridgeline
