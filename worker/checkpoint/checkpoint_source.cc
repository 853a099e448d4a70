// SPDX-License-Identifier: Apache-2.0
#include "worker/checkpoint/checkpoint_source.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <utility>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "model/weight_tensor.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {

CheckpointSource::CheckpointSource(std::string folder, CheckpointManifest manifest)
    : folder_(std::move(folder)), manifest_(std::move(manifest)), files_(manifest_.files.size()) {}

absl::StatusOr<std::unique_ptr<CheckpointSource>> CheckpointSource::Open(const std::string& folder) {
  ASSIGN_OR_RETURN(CheckpointManifest manifest, ReadManifest(folder));
  std::unique_ptr<CheckpointSource> source(new CheckpointSource(folder, std::move(manifest)));
  if (source->manifest_.tensors.empty()) RETURN_IF_ERROR(source->ListWholeTensors());
  return source;
}

// Of format 1.
absl::Status CheckpointSource::ListWholeTensors() {
  ASSIGN_OR_RETURN(const WeightFile* file, FileAt(0));
  for (const TensorView& view : file->tensors()) {
    CheckpointTensor tensor{.dtype = view.dtype, .shape = view.shape};
    tensor.shards.push_back({.rows = tensor.rows()});
    manifest_.tensors[view.name] = std::move(tensor);
  }
  return absl::OkStatus();
}

absl::StatusOr<const WeightFile*> CheckpointSource::FileAt(size_t index) {
  if (files_[index] == nullptr) {
    const std::string path = (std::filesystem::path(folder_) / manifest_.files[index].name).string();
    ASSIGN_OR_RETURN(files_[index], OpenSafetensors(path));
  }
  return files_[index].get();
}

absl::StatusOr<const TensorView*> CheckpointSource::ViewOf(const std::string& name, const CheckpointTensor& tensor,
                                                           const CheckpointShard& shard) {
  ASSIGN_OR_RETURN(const WeightFile* file, FileAt(shard.file));
  const TensorView* view = file->Find(name);
  if (view == nullptr || view->dtype != tensor.dtype || view->shape != tensor.ShapeOf(shard))
    return absl::DataLossError(fmt::format("checkpoint {}: {} does not hold tensor '{}' as {} says", folder_,
                                           manifest_.files[shard.file].name, name, kManifestFile));
  return view;
}

absl::StatusOr<at::Tensor> CheckpointSource::Rows(const std::string& name, const std::vector<int64_t>& sizes,
                                                  int64_t begin_row, int64_t row_count) {
  const auto found = manifest_.tensors.find(name);
  if (found == manifest_.tensors.end())
    return absl::DataLossError(fmt::format("checkpoint {} lacks tensor '{}'", folder_, name));
  const CheckpointTensor& tensor = found->second;
  if (tensor.shape != sizes)
    return absl::DataLossError(fmt::format("checkpoint {} has tensor '{}' of shape ({}), the model one of ({})",
                                           folder_, name, fmt::join(tensor.shape, ", "), fmt::join(sizes, ", ")));
  const std::optional<at::ScalarType> type = ScalarTypeOf(tensor.dtype);
  if (!type)
    return absl::DataLossError(
        fmt::format("checkpoint {} has tensor '{}' as {}", folder_, name, DtypeName(tensor.dtype)));
  at::Tensor rows = at::empty(tensor.ShapeOf({.rows = row_count}), *type);
  char* out = static_cast<char*>(rows.mutable_data_ptr());
  const size_t row_bytes = row_count > 0 ? rows.nbytes() / static_cast<size_t>(row_count) : 0;
  for (const CheckpointShard& shard : tensor.shards) {
    const int64_t begin = std::max(begin_row, shard.begin_row),
                  end = std::min(begin_row + row_count, shard.begin_row + shard.rows);
    if (begin >= end) continue;
    ASSIGN_OR_RETURN(const TensorView* view, ViewOf(name, tensor, shard));
    std::memcpy(out + static_cast<size_t>(begin - begin_row) * row_bytes,
                view->bytes.data() + static_cast<size_t>(begin - shard.begin_row) * row_bytes,
                static_cast<size_t>(end - begin) * row_bytes);
  }
  return rows;
}

}  // namespace ridgeline
