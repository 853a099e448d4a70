// SPDX-License-Identifier: Apache-2.0
// Gradients on their way between ranks, with the bits that model/kernels/gradient_wire.h makes: integers are int64,
// whose products wrap, and masks leave of them what 32 bits would hold.
#include <algorithm>
#include <limits>

#include "model/kernels/gradient_wire.h"
#include "model/ops/composed/composed_ops.h"
#include "model/ops/composed/exact_math.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

// Whole blocks that are encoded at once: the random numbers' integers take 8 bytes each.
constexpr int64_t kNumbersAtOnce = int64_t{1} << 22;
constexpr int64_t kLow32 = 0xFFFFFFFF;
constexpr double kSmallestNormal = std::numeric_limits<float>::min();

at::Tensor XorShifted(const at::Tensor& h, int bits) { return at::bitwise_xor(h, ShiftedRight(h, bits)); }

// 0 .. 2^24 - 1 for each number of blocks `first_block` and on. (blocks, 128) float32
at::Tensor Draws(uint64_t seed, int64_t first_block, int64_t blocks, const at::Device& device) {
  const at::TensorOptions integers = at::TensorOptions(at::kLong).device(device);
  const at::Tensor block = at::arange(first_block, first_block + blocks, integers);
  const at::Tensor key = Mixed(Mixed(at::full({1}, static_cast<int64_t>(seed), integers)) + block).unsqueeze(1);
  const at::Tensor sum = at::bitwise_and(key, kLow32), parity = ShiftedRight(key, 32);
  at::Tensor h = at::bitwise_and(sum + at::arange(kWireBlock, integers), kLow32);
  h = at::bitwise_and(XorShifted(h, 16) * INT64_C(0x7FEB352D), kLow32);
  h = at::bitwise_xor(h, parity);
  h = at::bitwise_and(XorShifted(h, 15) * INT64_C(0x846CA68B), kLow32);
  return ShiftedRight(XorShifted(h, 16), 8).to(at::kFloat);
}

// x (n) as whole blocks, zeros behind its end. (blocks, of_block)
at::Tensor AsBlocks(const at::Tensor& x, int64_t of_block) {
  const int64_t missing = (of_block - x.size(0) % of_block) % of_block;
  return (missing == 0 ? x : at::constant_pad_nd(x, {0, missing})).view({(x.size(0) + missing) / of_block, of_block});
}

// Of numbers that begin block `first_block` of their part. Divides by tensors: a CUDA device multiplies by the inverse
// of a scalar.
at::Tensor Int8Bytes(const at::Tensor& numbers, uint64_t seed, int64_t first_block) {
  const at::Tensor x = AsBlocks(numbers.to(at::kFloat), kWireBlock);
  const at::Tensor largest = at::maximum(x.amax({1}, /*keepdim=*/true), -x.amin({1}, /*keepdim=*/true));
  const at::Tensor is_bad = (largest * 0).ne(0);  // An infinity or NaN.
  const at::Tensor step = (largest / at::full_like(largest, 127)).clamp_min(kSmallestNormal);
  const at::Tensor scale = step.masked_fill(is_bad, std::numeric_limits<double>::quiet_NaN());
  const at::Tensor y = (x * (at::ones_like(scale) / scale)).clamp(-127, 127), below = y.floor();
  const at::Tensor up = Draws(seed, first_block, x.size(0), x.device()) < (y - below) * 0x1p24;
  const at::Tensor rounded = (below + up.to(at::kFloat)).masked_fill(is_bad, 0);
  return at::cat({scale.view(at::kByte), rounded.to(at::kChar).view(at::kByte)}, 1).view({-1});
}

void EncodeInt8Into(const at::Tensor& x, uint64_t seed, at::Tensor& wire) {
  for (int64_t begin = 0; begin < x.size(0); begin += kNumbersAtOnce) {
    const int64_t count = std::min(kNumbersAtOnce, x.size(0) - begin);
    const at::Tensor bytes = Int8Bytes(x.narrow(0, begin, count), seed, begin / kWireBlock);
    const int64_t used = UsedWireBytes(GradientDtype::kInt8, count);
    wire.narrow(0, UsedWireBytes(GradientDtype::kInt8, begin), used).copy_(bytes.narrow(0, 0, used));
  }
}

// NaN has one form there, and LibTorch's depends on the instruction set.
at::Tensor InBfloat16(const at::Tensor& x) {
  if (x.scalar_type() == at::kBFloat16) return x;
  return x.to(at::kBFloat16).masked_fill_(x.ne(x), std::numeric_limits<double>::quiet_NaN());
}

at::Tensor Int8Numbers(const at::Tensor& bytes, int64_t count) {
  const at::Tensor blocks = AsBlocks(bytes, kWireBlockBytes);
  const at::Tensor scale = blocks.narrow(1, 0, sizeof(float)).contiguous().view(at::kFloat);
  const at::Tensor codes = blocks.narrow(1, sizeof(float), kWireBlock).view(at::kChar).to(at::kFloat);
  return (codes * scale).view({-1}).narrow(0, 0, count);
}

// float32 or bfloat16.
at::Tensor Arrived(GradientDtype dtype, const at::Tensor& bytes, int64_t count) {
  switch (dtype) {
    case GradientDtype::kFloat32:
      return bytes.view(at::kFloat);
    case GradientDtype::kBfloat16:
      return bytes.view(at::kBFloat16);
    case GradientDtype::kInt8:
      return Int8Numbers(bytes, count);
  }
  __builtin_unreachable();
}

}  // namespace

void ComposedOperations::EncodeGradient(GradientDtype dtype, const at::Tensor& x, uint64_t seed,
                                        at::Tensor& wire) const {
  const int64_t used = UsedWireBytes(dtype, x.numel());
  const at::Tensor flat = x.view({-1});
  if (dtype == GradientDtype::kInt8) EncodeInt8Into(flat, seed, wire);
  if (dtype == GradientDtype::kFloat32) wire.narrow(0, 0, used).view(at::kFloat).copy_(flat);
  if (dtype == GradientDtype::kBfloat16) wire.narrow(0, 0, used).view(at::kBFloat16).copy_(InBfloat16(flat));
  wire.narrow(0, used, wire.size(0) - used).zero_();
}

void ComposedOperations::DecodeGradient(GradientDtype dtype, const at::Tensor& wire, Arrival arrival,
                                        at::Tensor& sum) const {
  at::Tensor flat = sum.view({-1});
  const at::Tensor arrived =
      Arrived(dtype, wire.narrow(0, 0, UsedWireBytes(dtype, sum.numel())), sum.numel()).to(at::kFloat);
  if (arrival == Arrival::kAdds)
    flat.add_(arrived);
  else
    flat.copy_(arrived);
}

}  // namespace ridgeline
