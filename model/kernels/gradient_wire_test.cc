// SPDX-License-Identifier: Apache-2.0
#include "model/kernels/gradient_wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hwy/highway.h>

#include <random>

#include "model/kernels/gradient_wire_ref.h"

namespace ridgeline {
namespace {

using rows::Bfloat16;
using testing::Each;

constexpr GradientDtype kEvery[] = {GradientDtype::kFloat32, GradientDtype::kBfloat16, GradientDtype::kInt8};
// Around the ends of blocks, and enough for several threads.
constexpr int64_t kCounts[] = {0, 1, 3, 127, 128, 129, 1'000, 200'003};

// Of sizes that differ from block to block, as gradients do.
std::vector<float> Gaussian(int64_t count, uint32_t seed = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<size_t>(count));
  for (size_t i = 0; i < x.size(); ++i) x[i] = std::ldexp(normal(random), static_cast<int>(i / 500 % 60) - 50);
  return x;
}

std::vector<Bfloat16> InBfloat16(const std::vector<float>& x) {
  std::vector<Bfloat16> y;
  for (float v : x) y.push_back({RoundToBfloat16_ref(v)});
  return y;
}

std::vector<float> Widened(const std::vector<Bfloat16>& x) {
  std::vector<float> y;
  for (Bfloat16 v : x) y.push_back(std::bit_cast<float>(uint32_t{v.bits} << 16));
  return y;
}

template <typename T>
std::vector<std::byte> Encoded(GradientDtype dtype, const std::vector<T>& x, uint64_t seed = 7) {
  std::vector<std::byte> wire(static_cast<size_t>(WireBytes(dtype, std::ssize(x))), std::byte{0xAA});
  EncodeGradientRun(dtype, x.data(), 0, std::ssize(x), seed, wire.data());
  std::fill(wire.begin() + UsedWireBytes(dtype, std::ssize(x)), wire.end(), std::byte{0});
  return wire;
}

std::vector<float> Decoded(GradientDtype dtype, const std::vector<std::byte>& wire, int64_t count) {
  std::vector<float> x(static_cast<size_t>(count), std::numeric_limits<float>::quiet_NaN());
  DecodeGradientRun(dtype, wire.data(), 0, count, Arrival::kReplaces, x.data());
  return x;
}

template <typename T>
std::vector<float> ThereAndBack(GradientDtype dtype, const std::vector<T>& x, uint64_t seed = 7) {
  return Decoded(dtype, Encoded(dtype, x, seed), std::ssize(x));
}

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return std::ranges::equal(std::as_bytes(std::span(a)), std::as_bytes(std::span(b)));
}

// Of the block that a number is in.
float StepAt(const std::vector<float>& x, size_t i) {
  float step = std::numeric_limits<float>::min();
  for (size_t k = i / 128 * 128; k < std::min(x.size(), i / 128 * 128 + 128); ++k)
    step = std::max(step, std::abs(x[k]) / 127);
  return step;
}

double RelativeRmsError(const std::vector<float>& x, const std::vector<float>& arrived) {
  double squares = 0, errors = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    squares += double{x[i]} * x[i];
    errors += (double{arrived[i]} - x[i]) * (double{arrived[i]} - x[i]);
  }
  return std::sqrt(errors / squares);
}

TEST(GradientWire, TakesFourTwoOrOneByteANumberAndAScaleABlock) {
  EXPECT_EQ(WireBytes(GradientDtype::kFloat32, 1'000), 4'000);
  EXPECT_EQ(WireBytes(GradientDtype::kBfloat16, 1'000), 2'000);
  EXPECT_EQ(WireBytes(GradientDtype::kInt8, 128'000), 132'000);
  EXPECT_EQ(WireBytes(GradientDtype::kInt8, 1), 8);
  for (GradientDtype dtype : kEvery) {
    EXPECT_EQ(WireBytes(dtype, 0), 0);
    for (int64_t count : kCounts) EXPECT_EQ(WireBytes(dtype, count) % 4, 0) << count;
  }
}

TEST(GradientWire, NamesAreThoseOfTheSchema) {
  EXPECT_EQ(GradientDtypeNamed("float32"), GradientDtype::kFloat32);
  EXPECT_EQ(GradientDtypeNamed("bfloat16"), GradientDtype::kBfloat16);
  EXPECT_EQ(GradientDtypeNamed("int8"), GradientDtype::kInt8);
}

// With each instruction set that this machine has and the library was compiled for, the plainest included.
class GradientWireWith : public testing::TestWithParam<int64_t> {
 protected:
  void SetUp() override { Use(GetParam()); }
  void TearDown() override { Use(0); }

 private:
  static void Use(int64_t target) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
};

INSTANTIATE_TEST_SUITE_P(EveryInstructionSet, GradientWireWith, testing::ValuesIn(hwy::SupportedAndGeneratedTargets()),
                         [](const auto& target) { return std::string(hwy::TargetName(target.param)); });

TEST_P(GradientWireWith, BitsAreThoseOfThePlainTwins) {
  for (GradientDtype dtype : kEvery)
    for (int64_t count : kCounts) {
      const std::vector<float> x = Gaussian(count), arrived = ThereAndBack(dtype, x);
      const std::vector<Bfloat16> halves = InBfloat16(x);
      const std::vector<std::byte> wire = Encoded(dtype, x);
      EXPECT_EQ(wire, EncodeGradient_ref(dtype, x, 7)) << count;
      EXPECT_EQ(Encoded(dtype, halves), EncodeGradient_ref(dtype, Widened(halves), 7)) << count;
      std::vector<float> expected = Decode_ref(dtype, wire.data(), x.size()), sum = Gaussian(count, 2);
      EXPECT_TRUE(SameBits(arrived, expected)) << count;
      for (size_t i = 0; i < x.size(); ++i) expected[i] += sum[i];
      DecodeGradientRun(dtype, wire.data(), 0, count, Arrival::kAdds, sum.data());
      EXPECT_TRUE(SameBits(sum, expected)) << count;
    }
}

TEST(GradientWire, APartMayBeCutBehindAnyBlock) {
  const std::vector<float> x = Gaussian(1'003);
  for (GradientDtype dtype : kEvery) {
    const std::vector<std::byte> whole = Encoded(dtype, x);
    std::vector<std::byte> wire(whole.size());
    std::vector<float> arrived(x.size()), sum = Gaussian(1'003, 2), expected = sum;
    for (const auto& [begin, n] : {std::pair<int64_t, int64_t>{896, 107}, {0, 384}, {384, 512}}) {
      EncodeGradientRun(dtype, x.data(), begin, n, 7, wire.data());
      DecodeGradientRun(dtype, whole.data(), begin, n, Arrival::kReplaces, arrived.data());
      DecodeGradientRun(dtype, whole.data(), begin, n, Arrival::kAdds, sum.data());
    }
    EXPECT_EQ(wire, whole);
    EXPECT_TRUE(SameBits(arrived, Decoded(dtype, whole, std::ssize(x))));
    for (size_t i = 0; i < x.size(); ++i) expected[i] += arrived[i];
    EXPECT_TRUE(SameBits(sum, expected));
  }
}

TEST(GradientWire, SumsInFloat64AddWhatArrivesAsFloat32) {
  constexpr int64_t kCount = 3'003;
  const std::vector<float> x = Gaussian(kCount);
  for (GradientDtype dtype : kEvery) {
    const std::vector<std::byte> wire = Encoded(dtype, x);
    const std::vector<float> arrived = Decoded(dtype, wire, kCount);
    std::vector<double> sum(x.size(), 1), replaced(x.size(), 1);
    DecodeGradientRun(dtype, wire.data(), 0, kCount, Arrival::kAdds, sum.data());
    DecodeGradientRun(dtype, wire.data(), 0, kCount, Arrival::kReplaces, replaced.data());
    for (size_t i = 0; i < x.size(); ++i) {
      ASSERT_EQ(sum[i], 1 + double{arrived[i]}) << i;
      ASSERT_EQ(replaced[i], arrived[i]) << i;
    }
  }
}

TEST(GradientWire, WhatIsNotRoundedArrivesBitForBit) {
  const std::vector<float> x = Gaussian(10'001);
  const std::vector<Bfloat16> halves = InBfloat16(x);
  EXPECT_TRUE(SameBits(ThereAndBack(GradientDtype::kFloat32, x), x));
  EXPECT_TRUE(SameBits(ThereAndBack(GradientDtype::kFloat32, halves), Widened(halves)));
  EXPECT_TRUE(SameBits(ThereAndBack(GradientDtype::kBfloat16, halves), Widened(halves)));
}

TEST(GradientWire, Int8ErrsByLessThanAStepOfItsBlock) {
  const std::vector<float> x = Gaussian(100'001);
  for (uint64_t seed : {0, 1, 2}) {
    const std::vector<float> arrived = ThereAndBack(GradientDtype::kInt8, x, seed);
    for (size_t i = 0; i < x.size(); ++i) ASSERT_LE(std::abs(arrived[i] - x[i]), StepAt(x, i) * 1.00001f) << i;
  }
}

TEST(GradientWire, Int8IsOnAverageWhatWasSent) {
  constexpr int kSeeds = 20'000;
  std::vector<float> x = Gaussian(200);
  x[10] = 0;
  x[11] = 1e-9f * x[12];  // Nearly always zero.
  std::vector<double> mean(x.size());
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    const std::vector<float> arrived = ThereAndBack(GradientDtype::kInt8, x, seed);
    for (size_t i = 0; i < x.size(); ++i) mean[i] += double{arrived[i]} / kSeeds;
  }
  // A rounding is off by at most half a step in the square mean: five standard deviations of the mean, for fixed seeds.
  for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(mean[i], x[i], StepAt(x, i) * 5 * 0.5 / std::sqrt(kSeeds)) << i;
}

// Of numbers halfway between two codes: who went up.
std::vector<int> RoundedUp(int64_t count, uint64_t seed) {
  std::vector<float> x(static_cast<size_t>(count), 10.5f / 127);
  for (size_t i = 0; i < x.size(); i += 128) x[i] = 1;
  std::vector<int> up;
  for (float v : ThereAndBack(GradientDtype::kInt8, x, seed)) up.push_back(v > 10.5f / 127);
  return up;
}

// Of as many fair throws as there are pairs, half agree, to five standard deviations.
void ExpectNoRelation(std::span<const int> a, std::span<const int> b) {
  int64_t pairs = 0, agree = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (i % 128 == 0 || i % 128 == 127) continue;
    ++pairs;
    agree += a[i] == b[i];
  }
  EXPECT_NEAR(agree, 0.5 * static_cast<double>(pairs), 5 * 0.5 * std::sqrt(pairs));
}

TEST(GradientWire, PlacesBlocksAndSeedsRoundIndependently) {
  const std::vector<int> up = RoundedUp(300'000, 3);
  const auto from = [&up](size_t begin) { return std::span(up).subspan(begin); };
  ExpectNoRelation(up, std::vector<int>(up.size(), 1));
  ExpectNoRelation(up, from(1));
  ExpectNoRelation(up, from(128));
  ExpectNoRelation(up, from(128 * 1'024));
  ExpectNoRelation(up, RoundedUp(300'000, 4));
  ExpectNoRelation(up, RoundedUp(300'000, 3 + (uint64_t{1} << 32)));
}

TEST(GradientWire, ZerosStayZerosAndTheLargestStaysItself) {
  EXPECT_THAT(ThereAndBack(GradientDtype::kInt8, std::vector<float>(1'000)), Each(0.0f));
  std::vector<float> x = Gaussian(128);
  for (size_t i = 0; i < x.size(); i += 3) x[i] = 0;
  x[1] = -1e3f;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const std::vector<float> arrived = ThereAndBack(GradientDtype::kInt8, x, seed);
    for (size_t i = 0; i < x.size(); i += 3) EXPECT_EQ(arrived[i], 0);
    EXPECT_FLOAT_EQ(arrived[1], -1e3f);
  }
}

TEST(GradientWire, DenormalsAndHugeNumbersArriveAsNumbers) {
  std::vector<float> tiny(200), huge(200);
  for (size_t i = 0; i < tiny.size(); ++i) {
    tiny[i] = std::ldexp(i % 2 == 0 ? 1.0f : -1.0f, -149 + static_cast<int>(i % 25));
    huge[i] = (i % 2 == 0 ? 3e38f : -3e38f) / static_cast<float>(i + 1);
  }
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const std::vector<float> small = ThereAndBack(GradientDtype::kInt8, tiny, seed);
    const std::vector<float> large = ThereAndBack(GradientDtype::kInt8, huge, seed);
    for (size_t i = 0; i < tiny.size(); ++i) {
      EXPECT_LE(std::abs(small[i] - tiny[i]), std::numeric_limits<float>::min());
      EXPECT_LE(std::abs(large[i] / 2 - huge[i] / 2), StepAt(huge, i)) << huge[i] << ' ' << large[i];
    }
  }
}

TEST_P(GradientWireWith, WhatIsNotFiniteArrivesSoAndLeavesOtherBlocksAlone) {
  for (float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::quiet_NaN(),
                    std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()})
    for (size_t place : {0, 127, 130, 255, 256, 300})
      for (GradientDtype dtype : kEvery) {
        std::vector<float> x = Gaussian(301);
        const std::vector<float> before = ThereAndBack(dtype, x);
        x[place] = bad;
        const std::vector<float> arrived = ThereAndBack(dtype, x), as_halves = ThereAndBack(dtype, InBfloat16(x));
        EXPECT_FALSE(std::isfinite(arrived[place])) << place;
        EXPECT_FALSE(std::isfinite(as_halves[place])) << place;
        for (size_t i = 0; i < x.size(); ++i)
          if (i / 128 != place / 128) {
            EXPECT_EQ(arrived[i], before[i]);
          }
        std::vector<float> sum(x.size());
        DecodeGradientRun(dtype, Encoded(dtype, x).data(), 0, std::ssize(sum), Arrival::kAdds, sum.data());
        EXPECT_FALSE(std::isfinite(sum[place])) << place;
      }
}

// A step is a 127th of the largest of 128 numbers, about 2.8 standard deviations, and a rounding at random is off by a
// step over the root of 6.
TEST(GradientWire, GaussianGradientsAreOffByNineThousandthsInInt8) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> x(1'000'000);
  for (float& v : x) v = normal(random);
  EXPECT_NEAR(RelativeRmsError(x, ThereAndBack(GradientDtype::kInt8, x)), 0.009, 0.0003);
  EXPECT_LT(RelativeRmsError(x, ThereAndBack(GradientDtype::kBfloat16, x)), 0.002);
}

}  // namespace
}  // namespace ridgeline
