// SPDX-License-Identifier: Apache-2.0
#include "worker/parallel/state_shards.h"

#include "common/status_macros.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {

absl::Status RestoreRows(StateSource& source, const std::string& name, const std::vector<int64_t>& sizes,
                         int64_t begin_row, at::Tensor rows) {
  ASSIGN_OR_RETURN(const at::Tensor stored, source.Rows(name, sizes, begin_row, rows.dim() == 0 ? 1 : rows.size(0)));
  if (stored.scalar_type() != rows.scalar_type())
    return absl::DataLossError(fmt::format("'{}' in the checkpoint is {} and not {}", name,
                                           c10::toString(stored.scalar_type()), c10::toString(rows.scalar_type())));
  rows.copy_(stored);
  return absl::OkStatus();
}

StateInMemory::StateInMemory(std::vector<StateShard> shards) {
  for (const StateShard& shard : shards) {
    auto [tensor, is_new] = tensors_.try_emplace(shard.name);
    if (is_new) tensor->second = at::empty(shard.sizes, shard.rows.options());
    if (shard.sizes.empty())
      tensor->second.copy_(shard.rows);
    else
      tensor->second.narrow(0, shard.begin_row, shard.rows.size(0)).copy_(shard.rows);
  }
}

absl::StatusOr<at::Tensor> StateInMemory::Rows(const std::string& name, const std::vector<int64_t>& sizes,
                                               int64_t begin_row, int64_t row_count) {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) return absl::DataLossError(fmt::format("the checkpoint lacks '{}'", name));
  const at::Tensor& tensor = found->second;
  if (tensor.sizes() != at::IntArrayRef(sizes))
    return absl::DataLossError(fmt::format("'{}' in the checkpoint has the shape ({}) and not ({})", name,
                                           fmt::join(tensor.sizes(), ", "), fmt::join(sizes, ", ")));
  return sizes.empty() ? tensor : tensor.narrow(0, begin_row, row_count);
}

}  // namespace ridgeline
