// SPDX-License-Identifier: Apache-2.0
// Gradients on their way between ranks: composed and fused make the bits of the plain twins.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "model/kernels/gradient_wire_ref.h"
#include "model/ops/ops.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

constexpr GradientDtype kEvery[] = {GradientDtype::kFloat32, GradientDtype::kBfloat16, GradientDtype::kInt8};
// Around the ends of blocks; the last are more than composed operations take at once.
constexpr int64_t kCounts[] = {0, 1, 3, 127, 128, 129, 1'000, 200'003, (int64_t{1} << 22) + 130};

// Of sizes that differ from block to block, as gradients do, from denormal numbers on.
at::Tensor Gradients(int64_t count, uint64_t seed = 1) {
  const at::Tensor exponents = at::arange(count).div(500, "floor").remainder(60).sub(140);
  return at::ldexp(at::randn({count}, at::detail::createCPUGenerator(seed)), exponents).to(at::kFloat);
}

at::Tensor Encoded(const Ops& ops, GradientDtype dtype, const at::Tensor& x, uint64_t seed) {
  // They may begin at any multiple of 4.
  at::Tensor wire =
      at::full({WireBytes(dtype, x.numel()) + 4}, 0xAA, at::kByte).narrow(0, 4, WireBytes(dtype, x.numel()));
  ops.EncodeGradient(dtype, x, seed, wire);
  return wire;
}

// The same bits, NaN or not.
bool SameBits(const at::Tensor& a, const at::Tensor& b) {
  return a.nbytes() == b.nbytes() &&
         (a.numel() == 0 || std::memcmp(a.const_data_ptr(), b.const_data_ptr(), a.nbytes()) == 0);
}

at::Tensor EncodedByTwin(GradientDtype dtype, const at::Tensor& x, uint64_t seed) {
  const at::Tensor wide = x.to(at::kFloat);
  const std::vector<std::byte> wire =
      EncodeGradient_ref(dtype, {wide.const_data_ptr<float>(), static_cast<size_t>(wide.numel())}, seed);
  at::Tensor bytes = at::empty({std::ssize(wire)}, at::kByte);
  if (!wire.empty()) std::memcpy(bytes.mutable_data_ptr(), wire.data(), wire.size());
  return bytes;
}

class GradientWireOps : public testing::TestWithParam<const Ops*> {
 protected:
  const Ops& ops_ = *GetParam();
};

TEST_P(GradientWireOps, BitsAreThoseOfThePlainTwins) {
  for (const GradientDtype dtype : kEvery)
    for (const int64_t count : kCounts)
      for (const uint64_t seed : {uint64_t{7}, uint64_t{0xFEDCBA9876543210}})
        for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
          const at::Tensor x = Gradients(count).to(type);
          EXPECT_TRUE(SameBits(Encoded(ops_, dtype, x, seed), EncodedByTwin(dtype, x, seed))) << count << ' ' << type;
        }
}

TEST_P(GradientWireOps, WhatIsNotFiniteHasTheBitsOfThePlainTwins) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();
  for (const float bad : {kNan, -kNan, kInfinity, -kInfinity})
    for (const int64_t place : {0, 127, 130, 255, 256, 300})
      for (const GradientDtype dtype : kEvery) {
        at::Tensor x = at::randn({301});
        x[place] = bad;
        const at::Tensor wire = Encoded(ops_, dtype, x, 3);
        EXPECT_TRUE(SameBits(wire, EncodedByTwin(dtype, x, 3))) << bad << " at " << place;
        at::Tensor sum = at::ones({301});
        ops_.DecodeGradient(dtype, wire, Arrival::kAdds, sum);
        EXPECT_FALSE(std::isfinite(sum[place].item<float>()));
        EXPECT_EQ(sum.isfinite().sum().item<int64_t>(), dtype != GradientDtype::kInt8 ? 300 : place < 256 ? 173 : 256);
      }
}

TEST_P(GradientWireOps, ArriveAsThePlainTwinsDecodeThemAndAreAddedInFloat32OrFloat64) {
  for (const GradientDtype dtype : kEvery)
    for (const int64_t count : kCounts) {
      const at::Tensor wire = Encoded(CpuOps(), dtype, Gradients(count), 5), before = Gradients(count, 2);
      const std::vector<float> decoded =
          Decode_ref(dtype, static_cast<const std::byte*>(wire.const_data_ptr()), static_cast<size_t>(count));
      const at::Tensor expected = at::tensor(decoded);
      for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
        at::Tensor replaced = at::full({count}, std::numeric_limits<double>::quiet_NaN(), type),
                   added = before.to(type, /*non_blocking=*/false, /*copy=*/true);
        ops_.DecodeGradient(dtype, wire, Arrival::kReplaces, replaced);
        ops_.DecodeGradient(dtype, wire, Arrival::kAdds, added);
        EXPECT_TRUE(SameBits(replaced, expected.to(type))) << count << ' ' << type;
        EXPECT_TRUE(SameBits(added, before.to(type) + expected)) << count << ' ' << type;
      }
    }
}

TEST_P(GradientWireOps, MatricesTravelAsTheirNumbersDo) {
  const at::Tensor x = at::randn({10, 77});
  for (const GradientDtype dtype : kEvery) {
    const at::Tensor rows = x.narrow(0, 3, 5), wire = Encoded(ops_, dtype, rows, 9);
    EXPECT_TRUE(SameBits(wire, EncodedByTwin(dtype, rows.contiguous().view({-1}), 9)));
    at::Tensor sum = at::zeros({5, 77}), flat = at::zeros({5 * 77});
    ops_.DecodeGradient(dtype, wire, Arrival::kAdds, sum);
    ops_.DecodeGradient(dtype, wire, Arrival::kAdds, flat);
    EXPECT_TRUE(SameBits(sum, flat));
  }
}

TEST_P(GradientWireOps, Bfloat16RoundsAsLibTorchDoes) {
  at::Tensor x = Gradients(10'001);
  x[5] = 0x1.01p0f;  // Halfway between two.
  x[6] = 0x1.03p0f;
  EXPECT_TRUE(SameBits(Encoded(ops_, GradientDtype::kBfloat16, x, 1).narrow(0, 0, 20'002), x.to(at::kBFloat16)));
}

TEST_P(GradientWireOps, BitsDoNotDependOnTheNumberOfThreads) {
  const at::Tensor x = Gradients(1'000'003);
  const int threads = at::get_num_threads();
  for (const GradientDtype dtype : kEvery) {
    at::Tensor alone = at::empty_like(x), together = at::empty_like(x);
    at::set_num_threads(1);
    const at::Tensor wire = Encoded(ops_, dtype, x, 7);
    ops_.DecodeGradient(dtype, wire, Arrival::kReplaces, alone);
    at::set_num_threads(3);
    EXPECT_TRUE(SameBits(Encoded(ops_, dtype, x, 7), wire));
    ops_.DecodeGradient(dtype, wire, Arrival::kReplaces, together);
    EXPECT_TRUE(SameBits(alone, together));
  }
  at::set_num_threads(threads);
}

// On `meta` a tensor of another device is an error, and so is each number that the host would read.
TEST(ComposedGradientWireOps, StayOnTheirDevice) {
  const at::TensorOptions meta = at::TensorOptions(at::kMeta);
  for (const GradientDtype dtype : kEvery)
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
      at::Tensor wire = at::empty({WireBytes(dtype, 1'003)}, meta.dtype(at::kByte));
      ComposedOps().EncodeGradient(dtype, at::empty({17, 59}, meta.dtype(type)), 1, wire);
      for (const at::ScalarType sum_type : {at::kFloat, at::kDouble})
        for (const Arrival arrival : {Arrival::kReplaces, Arrival::kAdds}) {
          at::Tensor sum = at::empty({17, 59}, meta.dtype(sum_type));
          ComposedOps().DecodeGradient(dtype, wire, arrival, sum);
        }
    }
  EXPECT_THROW(at::zeros({2}, meta).add_(at::zeros({2})), c10::Error) << "it would not be noticed";
}

INSTANTIATE_TEST_SUITE_P(OnTheCpu, GradientWireOps, testing::Values(&CpuOps(), &ComposedOps()),
                         [](const auto& of) { return std::string(of.param->name()); });

}  // namespace
}  // namespace ridgeline
