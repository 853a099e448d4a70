// SPDX-License-Identifier: Apache-2.0
// A safetensors model by its path: a file, an index with its shards, or a folder that holds either.
#include <filesystem>
#include <set>
#include <utility>

#include "common/file.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "weights/checks.h"
#include "weights/file_kind.h"
#include "weights/json.h"
#include "weights/safetensors_contents.h"
#include "weights/weight_file.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr char kSingleFile[] = "model.safetensors";
constexpr char kIndexFile[] = "model.safetensors.index.json";
constexpr JsonOptions kIndexJson = {.max_depth = 3, .max_bytes = size_t{100} << 20};

absl::StatusOr<WeightFile::Contents> OpenShard(const std::string& path) {
  ASSIGN_OR_RETURN(MappedFile mapping, MappedFile::Open(path));
  RETURN_IF_ERROR(CheckFileKind(mapping.bytes(), path, FileKind::kSafetensors));
  ASSIGN_OR_RETURN(WeightFile::Contents contents, ParseSafetensorsContents(mapping.bytes(), path));
  contents.mappings.push_back(std::move(mapping));
  return contents;
}

// An index names files beside it: it must not reach anything else.
bool IsShardName(const std::string& name) {
  return IsCleanName(name) && name.find_first_of("/\\") == std::string::npos && name.find("..") == std::string::npos;
}

absl::StatusOr<ShardOfTensor> ReadIndex(const Json& index, const std::string& path) {
  auto damaged = [&](std::string_view what) {
    return absl::DataLossError(fmt::format("{}: not a valid index: {}", path, what));
  };
  const auto weight_map = index.find("weight_map");
  if (weight_map == index.end() || !weight_map->is_object()) return damaged("it lacks a weight_map");
  ShardOfTensor shards;
  for (const auto& [tensor, shard] : weight_map->items()) {
    if (!shard.is_string()) return damaged(fmt::format("the shard of '{}' is not text", tensor));
    if (!IsShardName(shard.get_ref<const std::string&>()))
      return damaged(fmt::format("the shard of '{}' is not the name of a file beside the index", tensor));
    shards[tensor] = shard.get<std::string>();
  }
  return shards;
}

// Moves a shard's tensors into `whole`; each must be one that the index places in this shard.
absl::Status AddShard(const std::string& index_path, const std::string& shard, const ShardOfTensor& shards,
                      WeightFile::Contents contents, WeightFile::Contents* whole) {
  for (TensorView& tensor : contents.tensors) {
    const auto placed = shards.find(tensor.name);
    if (placed == shards.end() || placed->second != shard)
      return absl::DataLossError(
          fmt::format("{}: {} holds tensor '{}', which the index does not place there; fetch both again", index_path,
                      shard, tensor.name));
    whole->tensors.push_back(std::move(tensor));
  }
  whole->metadata.merge(contents.metadata);
  whole->mappings.push_back(std::move(contents.mappings.front()));
  return absl::OkStatus();
}

absl::StatusOr<WeightFile::Contents> OpenIndex(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kIndexJson.max_bytes));
  RETURN_IF_ERROR(CheckFileKind(text, path, FileKind::kJson));
  ASSIGN_OR_RETURN(const ShardOfTensor shards, ParseShardIndex(text, path));
  std::set<std::string> names;
  for (const auto& [tensor, shard] : shards) names.insert(shard);
  WeightFile::Contents whole;
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(WeightFile::Contents contents, OpenShard((fs::path(path).parent_path() / name).string()));
    RETURN_IF_ERROR(AddShard(path, name, shards, std::move(contents), &whole));
  }
  // Every tensor was in the index and in its place, so only missing ones are left to find.
  if (whole.tensors.size() == shards.size()) return whole;
  std::set<std::string_view> found;
  for (const TensorView& tensor : whole.tensors) found.insert(tensor.name);
  for (const auto& [tensor, shard] : shards)
    if (!found.contains(tensor))
      return absl::DataLossError(fmt::format("{}: tensor '{}' is not in {}; fetch both again", path, tensor, shard));
  return absl::InternalError(fmt::format("{}: tensors were counted wrongly", path));
}

// What people have in place of safetensors, and what to do with it.
std::string WhatIsThere(const fs::path& folder) {
  std::error_code ignored;
  for (const char* name : {"pytorch_model.bin", "pytorch_model.bin.index.json", "model.pt", "consolidated.00.pth"})
    if (fs::exists(folder / name, ignored))
      return fmt::format("; its {} is PyTorch's format: save the model as safetensors (save_pretrained does)", name);
  for (const char* name : {"adapter_model.safetensors", "adapter_config.json"})
    if (fs::exists(folder / name, ignored))
      return fmt::format("; its {} is an adapter's: merge it into its model (merge_and_unload in peft)", name);
  return "";
}

// The file or index of a folder; the path itself if it is no folder.
absl::StatusOr<fs::path> ModelPath(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return path;
  const bool single = fs::exists(path / kSingleFile, error), index = fs::exists(path / kIndexFile, error);
  if (single && index)
    return absl::InvalidArgumentError(
        fmt::format("{} holds both {} and {}; name the one that is meant", path.string(), kSingleFile, kIndexFile));
  if (!single && !index)
    return absl::NotFoundError(
        fmt::format("{} holds neither {} nor {}{}", path.string(), kSingleFile, kIndexFile, WhatIsThere(path)));
  return path / (single ? kSingleFile : kIndexFile);
}

}  // namespace

absl::StatusOr<ShardOfTensor> ParseShardIndex(std::string_view text, const std::string& name) {
  const absl::StatusOr<Json> index = ParseJsonObject(text, kIndexJson);
  if (!index.ok())
    return absl::DataLossError(fmt::format("{}: not a valid index: {}", name, std::string(index.status().message())));
  return ReadIndex(*index, name);
}

absl::StatusOr<std::unique_ptr<WeightFile>> OpenSafetensors(const std::string& path) {
  ASSIGN_OR_RETURN(const fs::path file, ModelPath(path));
  absl::StatusOr<WeightFile::Contents> contents =
      file.extension() == ".json" ? OpenIndex(file.string()) : OpenShard(file.string());
  if (!contents.ok()) return contents.status();
  return std::make_unique<WeightFile>(*std::move(contents));
}

}  // namespace ridgeline
