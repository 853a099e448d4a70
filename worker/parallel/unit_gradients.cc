// SPDX-License-Identifier: Apache-2.0
#include "worker/parallel/unit_gradients.h"

#include <numeric>
#include <utility>

#include "common/status_macros.h"
#include "quant/autograd/torch_pch.h"
#include "worker/parallel/tensor_span.h"

namespace ridgeline {
namespace {

int64_t Sum(const std::vector<int64_t>& sizes) { return std::accumulate(sizes.begin(), sizes.end(), int64_t{0}); }

}  // namespace

UnitGradients::UnitGradients(std::vector<SharedMatrix> matrices, std::vector<at::Tensor> sums,
                             const at::TensorOptions& numbers, GradientDtype wire, const Ops& ops, Communicator& group)
    : matrices_(std::move(matrices)), sums_(std::move(sums)), numbers_(numbers), wire_(wire), ops_(ops), group_(group) {
  out_sizes_.resize(static_cast<size_t>(group_.size()), 0);
  for (const SharedMatrix& matrix : matrices_)
    for (size_t rank = 0; rank < out_sizes_.size(); ++rank)
      out_sizes_[rank] += WireBytes(wire_, NumbersOf(matrix, rank));
  in_sizes_.assign(out_sizes_.size(), out_sizes_[static_cast<size_t>(group_.rank())]);
}

int64_t UnitGradients::NumbersOf(const SharedMatrix& matrix, size_t rank) const {
  return matrix.by_rank[rank].count() * matrix.parameter->shape->columns();
}

void UnitGradients::Allocate() {
  for (const SharedMatrix& matrix : matrices_) {
    matrix.parameter->gradient.sum = at::empty(matrix.parameter->shape->sizes, numbers_);
    matrix.parameter->gradient.is_empty = true;
  }
}

void UnitGradients::Encode(uint64_t seed) {
  int64_t begin = 0;
  for (size_t rank = 0; rank < out_sizes_.size(); ++rank)
    for (const SharedMatrix& matrix : matrices_) {
      const int64_t size = WireBytes(wire_, NumbersOf(matrix, rank));
      at::Tensor bytes = outgoing_.narrow(0, begin, size);
      ops_.EncodeGradient(
          wire_, matrix.parameter->gradient.sum.narrow(0, matrix.by_rank[rank].begin, matrix.by_rank[rank].count()),
          seed++, bytes);
      begin += size;
    }
}

absl::Status UnitGradients::Start(uint64_t seed) {
  at::NoGradGuard no_grad;
  const at::TensorOptions bytes = numbers_.dtype(at::kByte);
  outgoing_ = at::empty({Sum(out_sizes_)}, bytes);
  for (const SharedMatrix& matrix : matrices_) matrix.parameter->gradient.Zeroed();  // A rank without tokens has none.
  Encode(seed);
  for (const SharedMatrix& matrix : matrices_) matrix.parameter->gradient.sum.reset();
  incoming_ = at::empty({Sum(in_sizes_)}, bytes);
  ASSIGN_OR_RETURN(pending_, group_.StartExchangeBytes(BytesOf(outgoing_), out_sizes_, BytesOf(incoming_), in_sizes_,
                                                       "gradients of a unit"));
  return absl::OkStatus();
}

absl::Status UnitGradients::Finish() {
  RETURN_IF_ERROR(std::exchange(pending_, nullptr)->Wait());
  at::NoGradGuard no_grad;
  outgoing_.reset();
  const size_t self = static_cast<size_t>(group_.rank());
  int64_t begin = 0;
  for (size_t rank = 0; rank < in_sizes_.size(); ++rank)
    for (size_t i = 0; i < matrices_.size(); ++i) {
      const int64_t size = WireBytes(wire_, NumbersOf(matrices_[i], self));
      ops_.DecodeGradient(wire_, incoming_.narrow(0, begin, size), Arrival::kAdds, sums_[i]);
      begin += size;
    }
  incoming_.reset();
  return absl::OkStatus();
}

void UnitGradients::Poll() {
  if (pending_ != nullptr) pending_->Poll();
}

}  // namespace ridgeline
