// SPDX-License-Identifier: Apache-2.0
// Gradients on their way between ranks.
#include "model/kernels/gradient_wire.h"
#include "model/ops/cpu/cpu_ops.h"
#include "model/ops/cpu/row_threads.h"

namespace ridgeline {
namespace {

// What a thread takes at least, and what of a sum stays in the innermost cache while the ranks' parts are added.
constexpr int64_t kBlocksOfThread = 512;

// Calls work(begin, n) for runs of whole blocks, but for the end of the last, on LibTorch's threads.
template <typename Work>
void ForRunsOfBlocks(int64_t count, const Work& work) {
  at::parallel_for(0, (count + kWireBlock - 1) / kWireBlock, kBlocksOfThread, [&](int64_t first, int64_t last) {
    const int64_t begin = first * kWireBlock;
    work(begin, std::min(last * kWireBlock, count) - begin);
  });
}

}  // namespace

void OpsOnCpu::EncodeGradient(GradientDtype dtype, const at::Tensor& x, uint64_t seed, at::Tensor& wire) const {
  const int64_t count = x.numel(), used = UsedWireBytes(dtype, count);
  TORCH_CHECK(wire.numel() == WireBytes(dtype, count), count, " numbers do not travel in ", wire.numel(), " bytes");
  std::byte* const bytes = Out<std::byte>(wire);
  ForElementOf(x, [&](auto element) {
    ForRunsOfBlocks(count, [&, from = In<decltype(element)>(x)](int64_t begin, int64_t n) {
      EncodeGradientRun(dtype, from, begin, n, seed, bytes);
    });
  });
  std::fill(bytes + used, bytes + wire.numel(), std::byte{0});
}

void OpsOnCpu::DecodeGradient(GradientDtype dtype, const at::Tensor& wire, Arrival arrival, at::Tensor& sum) const {
  const int64_t count = sum.numel();
  TORCH_CHECK(wire.numel() == WireBytes(dtype, count), count, " numbers do not travel in ", wire.numel(), " bytes");
  auto decode = [&](auto* numbers) {
    ForRunsOfBlocks(count, [&](int64_t begin, int64_t n) {
      DecodeGradientRun(dtype, In<std::byte>(wire), begin, n, arrival, numbers);
    });
  };
  if (sum.scalar_type() == at::kDouble) return decode(Out<double>(sum));
  TORCH_CHECK(sum.scalar_type() == at::kFloat, "gradients are added in float32 or float64, not ", sum.scalar_type());
  decode(Out<float>(sum));
}

}  // namespace ridgeline
