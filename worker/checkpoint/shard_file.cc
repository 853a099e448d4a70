// SPDX-License-Identifier: Apache-2.0
#include "worker/checkpoint/shard_file.h"

#include <algorithm>
#include <filesystem>
#include <string_view>

#include "common/file.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "model/weight_tensor.h"
#include "quant/autograd/torch_pch.h"
#include "weights/safetensors_writer.h"

namespace ridgeline {
namespace {

constexpr size_t kPieceBytes = size_t{64} << 20;

// A shard as the file has it.
absl::StatusOr<std::vector<TensorDeclaration>> Declare(const std::vector<StateShard>& shards) {
  std::vector<TensorDeclaration> tensors;
  for (const StateShard& shard : shards) {
    const std::optional<Dtype> dtype = DtypeOf(shard.rows.scalar_type());
    if (!dtype)
      return absl::InvalidArgumentError(
          fmt::format("tensor '{}' is {}, which is not stored", shard.name, c10::toString(shard.rows.scalar_type())));
    tensors.push_back({shard.name, *dtype, shard.rows.sizes().vec()});
  }
  return tensors;
}

// Wide elements first: then each tensor begins at a multiple of its element.
std::vector<size_t> WideFirst(const std::vector<StateShard>& shards) {
  std::vector<size_t> order(shards.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return shards[a].rows.element_size() > shards[b].rows.element_size(); });
  return order;
}

absl::Status Append(const StateShard& shard, const std::atomic<bool>& given_up, SafetensorsWriter* writer) {
  TORCH_CHECK(shard.rows.is_cpu(), "'", shard.name, "' is on ", shard.rows.device(),
              ", and files are written from the host");
  const at::Tensor dense = shard.rows.contiguous();
  std::string_view bytes(static_cast<const char*>(dense.const_data_ptr()), dense.nbytes());
  while (!bytes.empty()) {
    if (given_up) return absl::AbortedError("the checkpoint is given up");
    const std::string_view piece = bytes.substr(0, kPieceBytes);
    RETURN_IF_ERROR(writer->Append(shard.name, piece));
    bytes.remove_prefix(piece.size());
  }
  return absl::OkStatus();
}

CheckpointManifest ManifestOf(const std::vector<StateShard>& shards, const std::vector<TensorDeclaration>& declared) {
  CheckpointManifest manifest;
  for (size_t i = 0; i < shards.size(); ++i) {
    const int64_t rows = shards[i].sizes.empty() ? 1 : shards[i].rows.size(0);
    manifest.tensors[shards[i].name] = {.dtype = declared[i].dtype,
                                        .shape = shards[i].sizes,
                                        .shards = {{.begin_row = shards[i].begin_row, .rows = rows}}};
  }
  return manifest;
}

at::Tensor HostCopyOf(const at::Tensor& rows) {
  if (rows.is_cpu()) return rows.clone(at::MemoryFormat::Contiguous);
  const at::Tensor copy = at::empty(rows.sizes(), rows.options().device(at::kCPU).pinned_memory(true));
  return copy.copy_(rows, /*non_blocking=*/true);
}

}  // namespace

HostCopies::HostCopies(const std::vector<StateShard>& shards) {
  std::optional<at::Device> device;
  for (const StateShard& shard : shards) {
    shards_.push_back({shard.name, shard.sizes, shard.begin_row, HostCopyOf(shard.rows)});
    if (!shard.rows.is_cpu()) device = shard.rows.device();
  }
  if (!device) return;
  copied_.emplace(device->type());
  copied_->record(c10::impl::VirtualGuardImpl(device->type()).getStream(*device));
}

const std::vector<StateShard>& HostCopies::Wait() const {
  if (copied_) copied_->synchronize();
  return shards_;
}

absl::StatusOr<CheckpointManifest> WriteShardFile(const std::string& folder, const std::string& name,
                                                  const std::vector<StateShard>& shards,
                                                  const std::atomic<bool>& given_up) {
  if (shards.empty()) return CheckpointManifest{};
  const std::string path = (std::filesystem::path(folder) / name).string();
  RETURN_IF_ERROR(MakeDirectories(folder));
  ASSIGN_OR_RETURN(const std::vector<TensorDeclaration> declared, Declare(shards));
  const std::vector<size_t> order = WideFirst(shards);
  std::vector<TensorDeclaration> ordered;
  for (size_t i : order) ordered.push_back(declared[i]);
  ASSIGN_OR_RETURN(std::unique_ptr<SafetensorsWriter> writer, SafetensorsWriter::Create(path, ordered, {}));
  for (size_t i : order) RETURN_IF_ERROR(Append(shards[i], given_up, writer.get()));
  RETURN_IF_ERROR(writer->Finish());
  CheckpointManifest manifest = ManifestOf(shards, declared);
  ASSIGN_OR_RETURN(const std::string sha256, Sha256HexOfFile(path));
  manifest.files.push_back(
      {.name = name, .bytes = static_cast<int64_t>(std::filesystem::file_size(path)), .sha256 = sha256});
  return manifest;
}

}  // namespace ridgeline
