// SPDX-License-Identifier: Apache-2.0
#include "worker/parallel/unit_weights.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "common/status_macros.h"
#include "quant/autograd/torch_pch.h"
#include "worker/parallel/packed_rows.h"
#include "worker/parallel/tensor_span.h"

namespace ridgeline {

UnitWeights::UnitWeights(std::vector<SharedMatrix> matrices, const at::TensorOptions& numbers, Communicator& group)
    : matrices_(std::move(matrices)), numbers_(numbers), group_(group) {}

int64_t UnitWeights::BytesOf(const SharedMatrix& matrix, size_t rank) const {
  return GatherBytes(matrix.parameter->quantizer.spec, matrix.by_rank[rank].count(), matrix.parameter->shape->columns(),
                     static_cast<int64_t>(numbers_.dtype().itemsize()));
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

void UnitWeights::WriteOwnPart(const at::Tensor& bytes) {
  int64_t begin = 0;
  for (const SharedMatrix& matrix : matrices_) {
    const int64_t size = BytesOf(matrix, static_cast<size_t>(group_.rank()));
    WriteOwnRows(matrix.parameter, c10::typeMetaToScalarType(numbers_.dtype()), bytes.narrow(0, begin, size));
    matrix.parameter->sharing.is_stale = false;
    begin += size;
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
  const int64_t own_size = sizes_[static_cast<size_t>(group_.rank())];
  const at::TensorOptions bytes = numbers_.dtype(at::kByte);
  all_ = at::empty({std::accumulate(sizes_.begin(), sizes_.end(), int64_t{0})}, bytes);
  at::Tensor mine =
      all_.narrow(0, std::accumulate(sizes_.begin(), sizes_.begin() + group_.rank(), int64_t{0}), own_size);
  if (quantizes_) {
    if (!own_.defined() || own_.numel() != own_size) own_ = at::empty({own_size}, bytes);
    mine = own_;
  }
  if (is_stale || !quantizes_) WriteOwnPart(mine);
  ASSIGN_OR_RETURN(pending_, group_.StartAllGatherBytes(ridgeline::BytesOf(mine), sizes_, ridgeline::BytesOf(all_),
                                                        "weights of a unit"));
  return absl::OkStatus();
}

absl::Status UnitWeights::Finish() {
  if (is_there_) return absl::OkStatus();
  RETURN_IF_ERROR(std::exchange(pending_, nullptr)->Wait());
  at::NoGradGuard no_grad;
  for (const SharedMatrix& matrix : matrices_)
    matrix.parameter->compute = at::empty(matrix.parameter->shape->sizes, numbers_);
  int64_t begin = 0;
  for (size_t rank = 0; rank < sizes_.size(); ++rank)
    for (const SharedMatrix& matrix : matrices_) {
      const int64_t size = BytesOf(matrix, rank);
      ReadRows(all_.narrow(0, begin, size), *matrix.parameter, matrix.by_rank[rank], matrix.parameter->compute);
      begin += size;
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
