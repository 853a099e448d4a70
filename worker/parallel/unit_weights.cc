// SPDX-License-Identifier: Apache-2.0
#include "worker/parallel/unit_weights.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "common/status_macros.h"
#include "quant/autograd/torch_pch.h"
#include "worker/parallel/packed_rows.h"

namespace ridgeline {

UnitWeights::UnitWeights(std::vector<SharedMatrix> matrices, at::ScalarType dtype, Communicator& group)
    : matrices_(std::move(matrices)), dtype_(dtype), group_(group) {}

int64_t UnitWeights::BytesOf(const SharedMatrix& matrix, size_t rank) const {
  return GatherBytes(matrix.parameter->quantizer.spec, matrix.by_rank[rank].count(), matrix.parameter->shape->columns(),
                     static_cast<int64_t>(c10::elementSize(dtype_)));
}

// They change with a sparsity schedule.
std::vector<int64_t> UnitWeights::SizesByRank() const {
  std::vector<int64_t> sizes(static_cast<size_t>(group_.size()), 0);
  for (const SharedMatrix& matrix : matrices_)
    for (size_t rank = 0; rank < sizes.size(); ++rank) sizes[rank] += BytesOf(matrix, rank);
  return sizes;
}

bool UnitWeights::is_stale() const {
  return std::any_of(matrices_.begin(), matrices_.end(),
                     [](const SharedMatrix& matrix) { return matrix.parameter->sharing.is_stale; });
}

void UnitWeights::WriteOwnPart(std::byte* bytes) {
  for (const SharedMatrix& matrix : matrices_) {
    WriteOwnRows(matrix.parameter, dtype_, bytes);
    matrix.parameter->sharing.is_stale = false;
    bytes += BytesOf(matrix, static_cast<size_t>(group_.rank()));
  }
}

absl::Status UnitWeights::Start() {
  if (is_there_ || pending_ != nullptr) return absl::OkStatus();
  const bool is_stale = this->is_stale();
  if (is_stale) {
    sizes_ = SizesByRank();
    quantizes_ = std::any_of(matrices_.begin(), matrices_.end(),
                             [](const SharedMatrix& matrix) { return matrix.parameter->quantizer.spec.enabled(); });
  }
  const size_t rank = static_cast<size_t>(group_.rank());
  const int64_t bytes = std::accumulate(sizes_.begin(), sizes_.end(), int64_t{0});
  all_ = std::make_unique_for_overwrite<std::byte[]>(static_cast<size_t>(bytes));
  std::byte* mine = all_.get() + std::accumulate(sizes_.begin(), sizes_.begin() + group_.rank(), int64_t{0});
  if (quantizes_) {
    own_.resize(static_cast<size_t>(sizes_[rank]));
    mine = own_.data();
  }
  if (is_stale || !quantizes_) WriteOwnPart(mine);
  ASSIGN_OR_RETURN(pending_,
                   group_.StartAllGatherBytes({mine, sizes_[rank]}, sizes_, {all_.get(), bytes}, "weights of a unit"));
  return absl::OkStatus();
}

absl::Status UnitWeights::Finish() {
  if (is_there_) return absl::OkStatus();
  RETURN_IF_ERROR(std::exchange(pending_, nullptr)->Wait());
  at::NoGradGuard no_grad;
  for (const SharedMatrix& matrix : matrices_)
    matrix.parameter->compute = at::empty(matrix.parameter->shape->sizes, dtype_);
  const std::byte* bytes = all_.get();
  for (size_t rank = 0; rank < sizes_.size(); ++rank)
    for (const SharedMatrix& matrix : matrices_) {
      ReadRows(bytes, matrix.parameter->quantizer.spec, matrix.by_rank[rank], matrix.parameter->compute);
      bytes += BytesOf(matrix, rank);
    }
  all_.reset();
  is_there_ = true;
  return absl::OkStatus();
}

void UnitWeights::Release() {
  for (const SharedMatrix& matrix : matrices_) matrix.parameter->compute.reset();
  is_there_ = false;
}

void UnitWeights::Poll() {
  if (pending_ != nullptr) pending_->Poll();
}

}  // namespace ridgeline
