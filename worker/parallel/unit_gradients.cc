// SPDX-License-Identifier: Apache-2.0
#include "worker/parallel/unit_gradients.h"

#include <numeric>
#include <span>
#include <utility>

#include "common/status_macros.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

int64_t Sum(const std::vector<int64_t>& sizes) { return std::accumulate(sizes.begin(), sizes.end(), int64_t{0}); }

}  // namespace

UnitGradients::UnitGradients(std::vector<SharedMatrix> matrices, std::vector<at::Tensor> sums, at::ScalarType dtype,
                             GradientDtype wire, Communicator& group)
    : matrices_(std::move(matrices)), sums_(std::move(sums)), dtype_(dtype), wire_(wire), group_(group) {
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
    matrix.parameter->gradient.sum = at::empty(matrix.parameter->shape->sizes, dtype_);
    matrix.parameter->gradient.is_empty = true;
  }
}

void UnitGradients::Encode(uint64_t seed) {
  std::byte* bytes = outgoing_.get();
  for (size_t rank = 0; rank < out_sizes_.size(); ++rank)
    for (const SharedMatrix& matrix : matrices_) {
      const at::Tensor rows =
          matrix.parameter->gradient.sum.narrow(0, matrix.by_rank[rank].begin, matrix.by_rank[rank].count());
      const auto count = static_cast<size_t>(rows.numel());
      if (dtype_ == at::kFloat)
        EncodeGradient(wire_, std::span(static_cast<const float*>(rows.const_data_ptr()), count), seed++, bytes);
      else
        EncodeGradient(wire_, std::span(static_cast<const rows::Bfloat16*>(rows.const_data_ptr()), count), seed++,
                       bytes);
      bytes += WireBytes(wire_, rows.numel());
    }
}

absl::Status UnitGradients::Start(uint64_t seed) {
  at::NoGradGuard no_grad;
  const int64_t out = Sum(out_sizes_), in = Sum(in_sizes_);
  outgoing_ = std::make_unique_for_overwrite<std::byte[]>(static_cast<size_t>(out));
  for (const SharedMatrix& matrix : matrices_) matrix.parameter->gradient.Zeroed();  // A rank without tokens has none.
  Encode(seed);
  for (const SharedMatrix& matrix : matrices_) matrix.parameter->gradient.sum.reset();
  incoming_ = std::make_unique_for_overwrite<std::byte[]>(static_cast<size_t>(in));
  ASSIGN_OR_RETURN(pending_, group_.StartExchangeBytes({outgoing_.get(), out}, out_sizes_, {incoming_.get(), in},
                                                       in_sizes_, "gradients of a unit"));
  return absl::OkStatus();
}

void UnitGradients::AddDecoded(const std::byte* bytes, at::Tensor sum) const {
  if (sum.scalar_type() == at::kFloat) return DecodeAdd(wire_, bytes, sum.numel(), sum.mutable_data_ptr<float>());
  at::Tensor decoded = at::empty(sum.sizes());
  DecodeInto(wire_, bytes, sum.numel(), decoded.mutable_data_ptr<float>());
  sum.add_(decoded);
}

absl::Status UnitGradients::Finish() {
  RETURN_IF_ERROR(std::exchange(pending_, nullptr)->Wait());
  outgoing_.reset();
  const size_t self = static_cast<size_t>(group_.rank());
  const std::byte* bytes = incoming_.get();
  for (size_t rank = 0; rank < in_sizes_.size(); ++rank)
    for (size_t i = 0; i < matrices_.size(); ++i) {
      const int64_t count = NumbersOf(matrices_[i], self);
      AddDecoded(bytes, sums_[i]);
      bytes += WireBytes(wire_, count);
    }
  incoming_.reset();
  return absl::OkStatus();
}

void UnitGradients::Poll() {
  if (pending_ != nullptr) pending_->Poll();
}

}  // namespace ridgeline
