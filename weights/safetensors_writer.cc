// SPDX-License-Identifier: Apache-2.0
#include "weights/safetensors_writer.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "common/file.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "weights/checks.h"

namespace ridgeline {
namespace {

using Json = nlohmann::json;

constexpr char kExtension[] = ".safetensors";
constexpr char kMetadataKey[] = "__metadata__";

absl::Status CheckStorable(const std::string& path, const std::vector<TensorDeclaration>& tensors) {
  for (const TensorDeclaration& tensor : tensors) {
    if (SafetensorsName(tensor.dtype).empty())
      return absl::InvalidArgumentError(fmt::format("{}: tensor '{}' is {}, which safetensors cannot hold; it can: {}",
                                                    path, tensor.name, DtypeName(tensor.dtype), SafetensorsDtypes()));
    if (tensor.name == kMetadataKey)
      return absl::InvalidArgumentError(fmt::format("{}: no tensor can be named {}", path, kMetadataKey));
  }
  return absl::OkStatus();
}

// JSON cannot hold other text.
absl::Status CheckMetadata(const std::string& path, const std::map<std::string, std::string>& metadata) {
  for (const auto& [key, value] : metadata)
    if (!IsUtf8(key) || !IsUtf8(value))
      return absl::InvalidArgumentError(fmt::format("{}: metadata '{}' is not UTF-8", path, ToValidUtf8(key)));
  return absl::OkStatus();
}

// For each shard, the tensor after its last one; one shard if there is no limit.
std::vector<size_t> ShardEnds(const DeclaredTensors& tensors, uint64_t max_shard_bytes) {
  std::vector<size_t> ends;
  uint64_t shard_bytes = 0;
  for (size_t i = 0; max_shard_bytes > 0 && i < tensors.tensors().size(); ++i) {
    const uint64_t bytes = tensors.bytes_of(i);
    // In this order nothing overflows: shard_bytes is above the limit only after a tensor that is so alone.
    if (shard_bytes > 0 && (shard_bytes > max_shard_bytes || bytes > max_shard_bytes - shard_bytes)) {
      ends.push_back(i);
      shard_bytes = 0;
    }
    shard_bytes += bytes;
  }
  ends.push_back(tensors.tensors().size());
  return ends;
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(std::string path, DeclaredTensors tensors, Options options,
                                     std::vector<size_t> shard_ends)
    : path_(std::move(path)), tensors_(std::move(tensors)), options_(std::move(options)) {
  const std::string stem = path_.substr(0, path_.size() - (sizeof kExtension - 1));
  for (size_t begin = 0; size_t end : shard_ends) {
    const std::string file = shard_ends.size() == 1 ? path_
                                                    : fmt::format("{}-{:05d}-of-{:05d}{}", stem, shards_.size() + 1,
                                                                  shard_ends.size(), kExtension);
    shards_.push_back({file, begin, end});
    begin = end;
  }
}

absl::StatusOr<std::unique_ptr<SafetensorsWriter>> SafetensorsWriter::Create(const std::string& path,
                                                                             std::vector<TensorDeclaration> tensors,
                                                                             Options options) {
  if (!path.ends_with(kExtension))
    return absl::InvalidArgumentError(fmt::format("{} does not end in {}", path, kExtension));
  ASSIGN_OR_RETURN(DeclaredTensors declared, DeclaredTensors::Create(path, std::move(tensors)));
  RETURN_IF_ERROR(CheckStorable(path, declared.tensors()));
  RETURN_IF_ERROR(CheckMetadata(path, options.metadata));
  std::vector<size_t> shard_ends = ShardEnds(declared, options.max_shard_bytes);
  return std::unique_ptr<SafetensorsWriter>(
      new SafetensorsWriter(path, std::move(declared), std::move(options), std::move(shard_ends)));
}

// Length and JSON, padded so that the data begins at a multiple of 8 bytes.
std::string SafetensorsWriter::HeaderOf(const Shard& shard) const {
  Json header = Json::object();
  if (!options_.metadata.empty()) header[kMetadataKey] = options_.metadata;
  uint64_t offset_bytes = 0;
  for (size_t i = shard.first; i < shard.end; ++i) {
    const TensorDeclaration& tensor = tensors_.tensors()[i];
    const uint64_t end = offset_bytes + tensors_.bytes_of(i);
    header[tensor.name] = {{"dtype", std::string(SafetensorsName(tensor.dtype))},
                           {"shape", tensor.shape},
                           {"data_offsets", {offset_bytes, end}}};
    offset_bytes = end;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  const uint64_t header_bytes = text.size();
  return std::string(reinterpret_cast<const char*>(&header_bytes), sizeof header_bytes) + text;
}

std::string SafetensorsWriter::Index() const {
  uint64_t total_bytes = 0;
  Json files = Json::object();
  for (const Shard& shard : shards_)
    for (size_t i = shard.first; i < shard.end; ++i) {
      files[tensors_.tensors()[i].name] = std::filesystem::path(shard.path).filename().string();
      total_bytes += tensors_.bytes_of(i);
    }
  return Json({{"metadata", {{"total_size", total_bytes}}}, {"weight_map", files}}).dump(2) + "\n";
}

// Opens the shards up to this one, which are complete but for the last.
absl::Status SafetensorsWriter::OpenThrough(size_t shard) {
  while (files_.size() <= shard) {
    if (!files_.empty()) RETURN_IF_ERROR(files_.back().Close());
    const Shard& next = shards_[files_.size()];
    ASSIGN_OR_RETURN(FileWriter file, FileWriter::Create(next.path));
    RETURN_IF_ERROR(file.Append(HeaderOf(next)));
    files_.push_back(std::move(file));
  }
  return absl::OkStatus();
}

absl::Status SafetensorsWriter::Append(std::string_view name, std::string_view bytes) {
  ASSIGN_OR_RETURN(const size_t index, tensors_.Take(name, bytes.size()));
  const auto shard = std::find_if(shards_.begin(), shards_.end(), [&](const Shard& s) { return index < s.end; });
  RETURN_IF_ERROR(OpenThrough(static_cast<size_t>(shard - shards_.begin())));
  return files_.back().Append(bytes);
}

absl::Status SafetensorsWriter::Finish() {
  RETURN_IF_ERROR(tensors_.CheckComplete());
  RETURN_IF_ERROR(OpenThrough(shards_.size() - 1));
  RETURN_IF_ERROR(files_.back().Close());
  for (FileWriter& file : files_) RETURN_IF_ERROR(file.Publish());
  if (shards_.size() == 1) return absl::OkStatus();
  return WriteFileAtomically(path_ + ".index.json", Index());
}

}  // namespace ridgeline
