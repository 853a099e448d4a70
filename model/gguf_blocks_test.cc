// SPDX-License-Identifier: Apache-2.0
// What llama.cpp reads is what was trained: over the whole table of methods, blocks of GGUF decode to the numbers that
// the codes stand for.
#include "model/gguf_blocks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>
#include <set>
#include <vector>

#include "method/every_spec.h"
#include "weights/decode.h"

namespace ridgeline {
namespace {

using testing::HasSubstr;
using Numbers = std::vector<float>;

constexpr int64_t kRows = 6, kFeatures = 512;

Numbers Rows() {
  std::mt19937 engine(7);
  std::normal_distribution<float> normal(0.02f, 0.1f);
  Numbers x(static_cast<size_t>(kRows * kFeatures));
  for (float& value : x) value = normal(engine);
  std::fill_n(x.begin() + kFeatures, kFeatures, 0.0f);       // No extent
  std::fill_n(x.begin() + 2 * kFeatures, kFeatures, 0.25f);  // One number
  return x;
}

PackedTensor Packed(const QuantizerSpec& spec, const Numbers& x) {
  Numbers scales;
  if (spec.learns_scale()) scales.assign(spec.granularity == Granularity::kTensor ? 1 : kRows, 0.0625f);
  auto packed = Encode(spec, x, kRows, kFeatures, scales);
  EXPECT_TRUE(packed.ok()) << packed.status();
  return *std::move(packed);
}

Numbers DecodedBlocks(Dtype dtype, const std::string& bytes) {
  Numbers decoded(static_cast<size_t>(kRows * kFeatures));
  EXPECT_EQ(DecodeToFloat({"x", dtype, {kRows, kFeatures}, bytes}, 0, decoded), absl::OkStatus());
  return decoded;
}

// Bit for bit, but that a zero has no sign.
bool IsSame(float a, float b) { return std::bit_cast<uint32_t>(a + 0.0f) == std::bit_cast<uint32_t>(b + 0.0f); }

std::vector<QuantizerSpec> Specs(int64_t block) {
  return EverySpec({.estimators = [](const EstimatorTraits& row) { return row.is_defined_for(Side::kWeight); },
                    .granularities = {Granularity::kBlock, Granularity::kRow, Granularity::kTensor},
                    .sparsities = {{}, {2, 4}},
                    .scale_precisions = {ScalePrecision::kFloat16},
                    .block = block});
}

TEST(GgufBlocksTest, BlocksDecodeToWhatTheCodesStandForBitForBit) {
  std::set<Dtype> types;
  for (int64_t block : {32, 64, 128, 256})
    for (const QuantizerSpec& spec : Specs(block)) {
      const auto image = GgufImageOf(spec, kFeatures);
      if (!image.ok()) continue;
      SCOPED_TRACE(DescribeSpec(spec));
      const PackedTensor packed = Packed(spec, Rows());
      const auto blocks = GgufBlocksOf(packed.view(), *image);
      ASSERT_TRUE(blocks.ok()) << blocks.status();
      Numbers x_hat(static_cast<size_t>(kRows * kFeatures));
      DecodeRows(packed.view(), 0, kRows, Rotated::kBack, x_hat.data());
      const Numbers decoded = DecodedBlocks(image->dtype, *blocks);
      for (size_t i = 0; i < x_hat.size(); ++i) ASSERT_TRUE(IsSame(decoded[i], x_hat[i])) << i << ": " << x_hat[i];
      types.insert(image->dtype);
    }
  EXPECT_EQ(types, (std::set<Dtype>{Dtype::kQ1_0, Dtype::kTQ1_0, Dtype::kTQ2_0, Dtype::kQ2_0, Dtype::kMXFP4,
                                    Dtype::kQ4_0, Dtype::kQ4_1, Dtype::kQ5_0, Dtype::kQ5_1, Dtype::kQ8_0}));
}

TEST(GgufBlocksTest, AScaleWhoseHalfIsNoFloat16IsNamed) {
  QuantizerSpec spec{.estimator = "ste", .format = Format::kInt4, .scheme = Scheme::kLinear, .block = 32};
  PackedTensor packed = Packed(spec, Rows());
  packed.scales[(3 * kFeatures / 32 + 5) * 2] = 1;  // 2^-24, the smallest float16
  packed.scales[(3 * kFeatures / 32 + 5) * 2 + 1] = 0;
  const auto blocks = GgufBlocksOf(packed.view(), *GgufImageOf(spec, kFeatures));
  EXPECT_EQ(blocks.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(blocks.status().message()), HasSubstr("row 3, block 5"));
}

TEST(GgufBlocksTest, WhatIsNoNumberIsRefused) {
  QuantizerSpec spec{.estimator = "ste", .format = Format::kInt4, .scheme = Scheme::kAffine, .block = 32};
  Numbers x = Rows();
  x[7] = NAN;
  EXPECT_FALSE(GgufBlocksOf(Packed(spec, x).view(), *GgufImageOf(spec, kFeatures)).ok());
  spec = {.estimator = "ste", .format = Format::kMxInt8, .scheme = Scheme::kLinear, .block = 32};
  PackedTensor packed = Packed(spec, Rows());
  packed.codes[40] = 0x80;
  EXPECT_THAT(std::string(GgufBlocksOf(packed.view(), *GgufImageOf(spec, kFeatures)).status().message()),
              HasSubstr("stands for no number"));
}

}  // namespace
}  // namespace ridgeline
