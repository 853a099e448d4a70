// SPDX-License-Identifier: Apache-2.0
// What is stored is what is computed with: over the whole table of methods, codes decode to the numbers that the
// forward pass gives, bit for bit.
#include "quant/codes/packed_tensor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "method/every_spec.h"
#include "method/problems.h"
#include "method/resolved_spec.h"
#include "quant/codes/code_book.h"
#include "quant/codes/statistics_bytes.h"
#include "quant/kernels/estimator.h"
#include "quant/kernels/kernel_matrix.h"
#include "quant/kernels/learned_scale.h"
#include "quant/testing/all_close.h"

namespace ridgeline {
namespace {

using Numbers = std::vector<float>;

bool HasCodes(const EstimatorTraits& traits) { return traits.is_defined_for(Side::kWeight); }

constexpr int64_t kRows = 12, kFeatures = 192;

// Ordinary rows, and rows without extent, of zeros, below and beyond float16, and with numbers that are not finite.
Numbers Rows(int64_t features, bool has_special) {
  std::mt19937 engine(7);
  std::normal_distribution<float> normal(0.02f, 0.1f);
  Numbers x(static_cast<size_t>(kRows * features));
  for (float& value : x) value = normal(engine);
  if (!has_special) return x;
  const auto scale_row = [&](int64_t row, float factor, float offset) {
    for (int64_t i = 0; i < features; ++i) {
      float& value = x[static_cast<size_t>(row * features + i)];
      value = value * factor + offset;
    }
  };
  scale_row(4, 0, 0);
  scale_row(5, 0, 0.3f);
  scale_row(6, 1e-7f, 0);
  scale_row(7, 1e-35f, 0);
  scale_row(8, 1e7f, 0);
  scale_row(9, 1e-3f, 1000);
  x[static_cast<size_t>(10 * features + 3)] = std::numeric_limits<float>::quiet_NaN();
  x[static_cast<size_t>(11 * features + features - 1)] = std::numeric_limits<float>::infinity();
  return x;
}

QuantizerSpec Stored(QuantizerSpec spec) {
  spec.scale_precision = ScalePrecision::kFloat16;
  spec.hard_rounding = true;
  return spec;
}

Numbers LearnedScales(const QuantizerSpec& spec) {
  if (!spec.learns_scale()) return {};
  Numbers scales(spec.granularity == Granularity::kTensor ? 1 : kRows);
  for (size_t row = 0; row < scales.size(); ++row) scales[row] = 0.03f + 0.01f * static_cast<float>(row);
  scales.back() = 1e-7f;  // Counts as the smallest that there is.
  if (scales.size() == 1) scales[0] = 0.07f;
  return scales;
}

// What training and evaluation compute with.
template <typename V>
std::vector<V> FakeQuantized(const QuantizerSpec& spec, const Numbers& x, int64_t features) {
  std::vector<V> x_hat(x.size());
  if (!spec.learns_scale()) {
    KernelMatrix matrix = KernelMatrixOf(spec, kRows, features);
    if (ScaleEncodingOf(spec.format) == ScaleEncoding::kE4m3)
      matrix.spec.tensor_max = LargestOfMatrix(spec, x.data(), kRows, features);
    EstimatorFor(spec).value()->Forward(matrix.spec, x.data(), matrix.rows, matrix.features, x_hat.data());
    return x_hat;
  }
  if constexpr (std::is_same_v<V, float>) {
    Numbers scales;
    for (const float scale : LearnedScales(spec)) scales.push_back(StoredFloat16(std::max(scale, 1e-5f)));
    scales.resize(kRows, scales[0]);
    LearnedScaleForward(*LearnedLevelsOf(spec), x.data(), scales.data(), kRows, features, x_hat.data());
  }
  return x_hat;
}

uint32_t BitsOf(float value) { return std::isnan(value) ? 0x7FC00000u : std::bit_cast<uint32_t>(value); }
uint32_t BitsOf(BFloat16 value) { return (value.bits & 0x7FFF) > 0x7F80 ? 0x7FC0 : value.bits; }

template <typename V>
testing::AssertionResult SameBits(const std::vector<V>& got, const std::vector<V>& expected) {
  if (got.size() != expected.size() || got.empty()) return testing::AssertionFailure() << got.size() << " numbers";
  for (size_t i = 0; i < got.size(); ++i)
    if (BitsOf(got[i]) != BitsOf(expected[i]))
      return testing::AssertionFailure() << "number " << i << " has the bits " << std::hex << BitsOf(got[i]) << ", not "
                                         << BitsOf(expected[i]);
  return testing::AssertionSuccess();
}

template <typename V>
std::vector<V> Decoded(const PackedTensor& packed, Rotated rotated = Rotated::kBack) {
  std::vector<V> x_hat(static_cast<size_t>(packed.layout.rows * packed.layout.features));
  DecodeRows(packed.view(), 0, packed.layout.rows, rotated, x_hat.data());
  return x_hat;
}

std::vector<QuantizerSpec> EveryCode() {
  return EverySpec({.estimators = HasCodes,
                    .grid_gradients = {GridGradient::kDetached, GridGradient::kGraph},
                    .granularities = {Granularity::kBlock, Granularity::kRow, Granularity::kTensor},
                    .rotations = {{}, {true}, {true, true}},
                    .sparsities = {{}, {2, 4}, {1, 4}, {1, 8}, {4, 8}, {3, 16}},
                    .block = 64});
}

// Tensors are tried without special rows: one would decide about all.
bool MixesRows(const QuantizerSpec& spec) { return spec.granularity == Granularity::kTensor; }

TEST(PackedTensorTableTest, HasEveryEstimatorOfWeightsAndEveryFormat) { EXPECT_GE(EveryCode().size(), 800u); }

TEST(PackedTensorTableTest, CodesDecodeToWhatTrainingComputesWithBitForBit) {
  for (const QuantizerSpec& table : EveryCode()) {
    SCOPED_TRACE(DescribeSpec(table));
    const QuantizerSpec spec = Stored(table);
    const Numbers x = Rows(kFeatures, !MixesRows(spec));
    const absl::StatusOr<PackedTensor> packed = Encode(spec, x, kRows, kFeatures, LearnedScales(spec));
    ASSERT_TRUE(packed.ok()) << packed.status();
    ASSERT_TRUE(CheckPacked(packed->view()).ok()) << CheckPacked(packed->view());
    ASSERT_TRUE(SameBits(Decoded<float>(*packed), FakeQuantized<float>(spec, x, kFeatures)));
    if (spec.learns_scale()) continue;
    ASSERT_TRUE(SameBits(Decoded<BFloat16>(*packed), FakeQuantized<BFloat16>(spec, x, kFeatures)));
  }
}

TEST(PackedTensorTableTest, RotatedCodesDecodeToWhatStaysRotated) {
  for (const QuantizerSpec& table : EveryCode()) {
    if (!table.hadamard) continue;
    SCOPED_TRACE(DescribeSpec(table));
    QuantizerSpec spec = Stored(table);
    const Numbers x = Rows(kFeatures, true);
    const PackedTensor packed = *Encode(spec, x, kRows, kFeatures);
    spec.stays_rotated = true;
    ASSERT_TRUE(SameBits(Decoded<float>(packed, Rotated::kStays), FakeQuantized<float>(spec, x, kFeatures)));
  }
}

TEST(PackedTensorTableTest, DecodingIsThatOfThePlainTwin) {
  for (const QuantizerSpec& spec : EveryCode()) {
    SCOPED_TRACE(DescribeSpec(spec));
    const PackedTensor packed = *Encode(spec, Rows(kFeatures, false), kRows, kFeatures, LearnedScales(spec));
    for (const Rotated rotated : {Rotated::kBack, Rotated::kStays}) {
      Numbers by_ref(static_cast<size_t>(kRows * kFeatures));
      DecodeRows_ref(packed.view(), 0, kRows, rotated, by_ref.data());
      const Numbers decoded = Decoded<float>(packed, rotated);
      const bool rotates = spec.hadamard && rotated == Rotated::kBack;
      ASSERT_TRUE(rotates ? AllClose(decoded, by_ref, 1e-6) : SameBits(decoded, by_ref));
    }
  }
}

TEST(PackedTensorTableTest, NamedRowsAreDecodedInTheirOrder) {
  for (const QuantizerSpec& spec : EveryCode()) {
    SCOPED_TRACE(DescribeSpec(spec));
    const PackedTensor packed = *Encode(spec, Rows(kFeatures, false), kRows, kFeatures, LearnedScales(spec));
    const Numbers all = Decoded<float>(packed);
    const std::vector<int64_t> rows = {kRows - 1, 0, kRows - 1};
    Numbers expected, named(rows.size() * static_cast<size_t>(kFeatures));
    for (const int64_t row : rows)
      expected.insert(expected.end(), all.begin() + row * kFeatures, all.begin() + (row + 1) * kFeatures);
    DecodeRows(packed.view(), rows, Rotated::kBack, named.data());
    ASSERT_TRUE(SameBits(named, expected));
  }
}

TEST(PackedTensorTableTest, AShortTailIsABlockOfItsOwn) {
  constexpr int64_t kOdd = 151;
  for (const QuantizerSpec& table : EveryCode()) {
    if (table.hadamard || table.sparsity.is_sparse()) continue;
    SCOPED_TRACE(DescribeSpec(table));
    const QuantizerSpec spec = Stored(table);
    const Numbers x = Rows(kOdd, !MixesRows(spec));
    const PackedTensor packed = *Encode(spec, x, kRows, kOdd, LearnedScales(spec));
    ASSERT_TRUE(SameBits(Decoded<float>(packed), FakeQuantized<float>(spec, x, kOdd)));
  }
}

TEST(PackedTensorTableTest, StoredScalesAreWithinOneRoundingOfThoseThatWereComputed) {
  constexpr double kHalfStepOfFloat16 = 0x1p-11;
  for (const QuantizerSpec& table : EveryCode()) {
    if (table.learns_scale() || !HasPlainScale(table.format)) continue;
    SCOPED_TRACE(DescribeSpec(table));
    QuantizerSpec computed = Stored(table);
    computed.scale_precision = ScalePrecision::kComputed;
    const Numbers x = Rows(kFeatures, false), exact = FakeQuantized<float>(computed, x, kFeatures);
    const double gathered = table.hadamard ? 8 : 1;  // An offset's error, by the first row of H of 64.
    ASSERT_TRUE(AllClose(FakeQuantized<float>(Stored(table), x, kFeatures), exact, 4 * gathered * kHalfStepOfFloat16));
  }
}

TEST(PackedTensorTableTest, NoGradientSeesTheRoundingOfAScale) {
  for (const QuantizerSpec& table : EveryCode()) {
    if (table.learns_scale() || table.granularity != Granularity::kBlock) continue;
    SCOPED_TRACE(DescribeSpec(table));
    const Numbers x = Rows(kFeatures, false), v = Rows(kFeatures, false);
    Numbers gradients[2] = {Numbers(x.size()), Numbers(x.size())};
    for (const ScalePrecision precision : {ScalePrecision::kComputed, ScalePrecision::kFloat16}) {
      QuantizerSpec spec = table;
      spec.scale_precision = precision;
      std::vector<uint8_t> saved(static_cast<size_t>(kRows * SavedBytes(spec, kFeatures)));
      Numbers x_hat(x.size());
      const Estimator& estimator = **EstimatorFor(spec);
      estimator.Forward(spec, x.data(), kRows, kFeatures, x_hat.data(), saved.data());
      estimator.Backward(spec, x.data(), saved.data(), v.data(), kRows, kFeatures,
                         gradients[static_cast<size_t>(precision)].data());
    }
    ASSERT_TRUE(SameBits(gradients[1], gradients[0]));
  }
}

std::vector<QuantizerSpec> EveryCodeInSteps() {
  return EverySpec({.estimators =
                        [](const EstimatorTraits& traits) {
                          return HasCodes(traits) && !traits.adds_noise && !traits.learns_scale() &&
                                 traits.weight_granularity.value_or(Granularity::kBlock) == Granularity::kBlock;
                        },
                    .formats = FormatsWhere(HasPlainScale, 10),
                    .grid_gradients = {GridGradient::kDetached, GridGradient::kGraph},
                    .rotations = {{}, {true}, {true, true}},
                    .sparsities = {{}, {2, 4}, {1, 4}},
                    .scale_precisions = {ScalePrecision::kInt8},
                    .block = 64});
}

float LargestOf(const PackedTensor& packed, int64_t row, float BlockStatistics::*number) {
  float largest = 0;
  for (int64_t i = 0; i < packed.layout.blocks_per_row; ++i)
    largest = std::max(largest, std::abs(LoadStatistics(packed.view(), packed.layout.FirstBlock(row) + i).*number));
  return largest;
}

TEST(ScalesInStepsTest, AreWithinHalfAStepOfThoseOfSixteenBitsAndCodesAreTheSame) {
  // The step is rounded up to a float16, and its multiple to one.
  constexpr float kHalfAStep = 0.5f / 127 * (1 + 0x1p-10f) + 0x1p-11f;
  const std::vector<QuantizerSpec> specs = EveryCodeInSteps();
  EXPECT_GE(specs.size(), 100u);
  for (const QuantizerSpec& spec : specs) {
    SCOPED_TRACE(DescribeSpec(spec));
    const Numbers x = Rows(kFeatures, false);
    const PackedTensor exact = *Encode(Stored(spec), x, kRows, kFeatures);
    const absl::StatusOr<PackedTensor> packed = Encode(spec, x, kRows, kFeatures);
    ASSERT_TRUE(packed.ok()) << packed.status();
    ASSERT_TRUE(CheckPacked(packed->view()).ok()) << CheckPacked(packed->view());
    ASSERT_EQ(packed->codes, exact.codes);
    for (int64_t block = 0; block < exact.layout.blocks(); ++block) {
      const int64_t row = block / exact.layout.blocks_per_row;
      const BlockStatistics got = LoadStatistics(packed->view(), block), wanted = LoadStatistics(exact.view(), block);
      ASSERT_NEAR(got.scale, wanted.scale, kHalfAStep * LargestOf(exact, row, &BlockStatistics::scale)) << block;
      ASSERT_NEAR(got.offset, wanted.offset, kHalfAStep * LargestOf(exact, row, &BlockStatistics::offset)) << block;
    }
  }
}

TEST(ScalesInStepsTest, DecodeAlikeByThePlainTwin) {
  for (const QuantizerSpec& spec : EveryCodeInSteps()) {
    if (spec.hadamard) continue;
    SCOPED_TRACE(DescribeSpec(spec));
    const PackedTensor packed = *Encode(spec, Rows(kFeatures, true), kRows, kFeatures);
    Numbers by_ref(static_cast<size_t>(kRows * kFeatures));
    DecodeRows_ref(packed.view(), 0, kRows, Rotated::kBack, by_ref.data());
    ASSERT_TRUE(SameBits(Decoded<float>(packed), by_ref));
  }
}

TEST(ScalesInStepsTest, ABlockThatIsNotFiniteIsNanAndItsRowIsNot) {
  QuantizerSpec spec{.estimator = "ste", .format = Format::kInt2, .block = 64};
  spec.scale_precision = ScalePrecision::kInt8;
  const PackedTensor packed = *Encode(spec, Rows(kFeatures, true), kRows, kFeatures);
  const Numbers x_hat = Decoded<float>(packed);
  const Numbers sixteen = Decoded<float>(*Encode(Stored(spec), Rows(kFeatures, true), kRows, kFeatures));
  for (const int64_t i : {10 * kFeatures + 64, 11 * kFeatures})  // Beside a NaN, beside an infinity.
    EXPECT_NEAR(x_hat[static_cast<size_t>(i)], sixteen[static_cast<size_t>(i)], 0.01) << i;
  EXPECT_TRUE(std::isnan(x_hat[10 * kFeatures]));
  EXPECT_FALSE(std::isnan(x_hat[10 * kFeatures + 64]));
  EXPECT_FALSE(std::isnan(x_hat[11 * kFeatures]));
  EXPECT_TRUE(std::isnan(x_hat[11 * kFeatures + kFeatures - 1]));
}

TEST(ScalesInStepsTest, HalveWhatScalesTakeButForTheStepsOfARow) {
  QuantizerSpec affine{.estimator = "ste", .format = Format::kInt1, .block = 128};
  affine.scale_precision = ScalePrecision::kInt8;
  const PackedLayout layout = *PackedLayoutOf(affine, 16, 1280);
  EXPECT_EQ(8 * layout.total_bytes(), 16 * (1280 + 10 * 16 + 32));
}

TEST(ScalesInStepsTest, AStepThatIsNoSizeIsRefusedWithItsRow) {
  QuantizerSpec spec{.estimator = "ste", .format = Format::kInt2, .block = 64};
  spec.scale_precision = ScalePrecision::kInt8;
  const PackedTensor good = *Encode(spec, Rows(kFeatures, false), kRows, kFeatures);
  for (const int half : {0x7C00, 0x7E00, 0x8001}) {
    PackedTensor packed = good;
    packed.steps[4 * 3 + 2] = static_cast<uint8_t>(half & 0xFF);
    packed.steps[4 * 3 + 3] = static_cast<uint8_t>(half >> 8);
    EXPECT_EQ(CheckPacked(packed.view()).message(), "steps of row 3: one is negative or not finite") << half;
  }
}

TEST(ScalesInStepsTest, AreRefusedWhereThereIsNoRowToShareThem) {
  QuantizerSpec spec{.estimator = "ste", .format = Format::kInt4, .block = 64};
  spec.scale_precision = ScalePrecision::kInt8;
  EXPECT_TRUE(PackedLayoutOf(spec, 4, 128).ok());
  QuantizerSpec row = spec, own = spec, noise = spec;
  row.granularity = Granularity::kRow;
  own.format = Format::kMxFp4, own.scheme = Scheme::kLinear, own.block = 32;
  noise.estimator = "diffq";
  for (const QuantizerSpec& refused : {row, own, noise})
    EXPECT_NE(std::string(PackedLayoutOf(refused, 4, 128).status().message()).find("weight_scales"), std::string::npos)
        << DescribeSpec(refused);
  EXPECT_FALSE(ValidateQuantizerSpec(spec, Side::kActivation).ok());
}

QuantizerSpec OneBit(SparsityPattern sparsity) {
  return {.estimator = "ste", .format = Format::kInt1, .scheme = Scheme::kLinear, .block = 64, .sparsity = sparsity};
}

double BitsPerNumber(const QuantizerSpec& spec, int64_t features = 1280) {
  return 8.0 * static_cast<double>(PackedLayoutOf(spec, 16, features)->total_bytes()) /
         (16.0 * static_cast<double>(features));
}

TEST(PackedLayoutTest, OneBitWeightsCostLessThanOneBitWhereMaskAndSignAreOneCode) {
  const double scale = 16.0 / 64;
  EXPECT_DOUBLE_EQ(BitsPerNumber(OneBit({})), 1 + scale);
  EXPECT_DOUBLE_EQ(BitsPerNumber(OneBit({1, 4})), 0.75 + scale);
  EXPECT_DOUBLE_EQ(BitsPerNumber(OneBit({1, 8})), 0.5 + scale);
  EXPECT_NEAR(BitsPerNumber(OneBit({2, 4})), 4.6 / 4 + scale, 8.0 / 1280);  // A row ends with a whole byte.
}

TEST(PackedLayoutTest, PartsHaveTheBytesThatTheLayoutSays) {
  for (const QuantizerSpec& spec : EveryCode()) {
    SCOPED_TRACE(DescribeSpec(spec));
    const PackedTensor packed = *Encode(spec, Rows(kFeatures, false), kRows, kFeatures, LearnedScales(spec));
    const size_t bytes = packed.codes.size() + packed.masks.size() + packed.scales.size() + packed.offsets.size() +
                         packed.selectors.size() + (packed.layout.has_tensor_scale ? sizeof(packed.tensor_scale) : 0);
    ASSERT_EQ(static_cast<int64_t>(bytes), packed.layout.total_bytes());
  }
}

TEST(PackedLayoutTest, WhatCannotBePackedIsRefused) {
  EXPECT_FALSE(PackedLayoutOf({}, 4, 64).ok());
  EXPECT_FALSE(PackedLayoutOf(OneBit({}), 0, 64).ok());
  EXPECT_FALSE(PackedLayoutOf(OneBit({}), 4, -1).ok());
  EXPECT_FALSE(PackedLayoutOf(OneBit({}), int64_t{1} << 40, int64_t{1} << 40).ok());
  EXPECT_FALSE(PackedLayoutOf(OneBit({1, 4}), 4, 66).ok());
  EXPECT_FALSE(Encode(OneBit({}), Numbers(63), 1, 64).ok());
  EXPECT_FALSE(Encode(OneBit({}), Numbers(64), 1, 64, Numbers(1)).ok());
}

TEST(CheckPackedTest, PartsOfTheWrongSizeAreRefusedByName) {
  PackedTensor packed = *Encode(OneBit({}), Rows(kFeatures, false), kRows, kFeatures);
  packed.scales.pop_back();
  const absl::Status status = CheckPacked(packed.view());
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(status.message(), "scales have 71 bytes where the layout has 72");
}

TEST(CheckPackedTest, NumbersOutOfRangeAreRefusedWithTheirRow) {
  const Numbers x = Rows(kFeatures, false);
  QuantizerSpec ternary{.estimator = "ste", .format = Format::kTernary, .scheme = Scheme::kLinear, .block = 64};
  PackedTensor trits = *Encode(ternary, x, kRows, kFeatures);
  trits.codes[static_cast<size_t>(2 * trits.layout.code_row_bytes)] = 243;
  EXPECT_EQ(CheckPacked(trits.view()).message(),
            "codes of row 2: a byte is 243, and five ternary numbers are at most 242");
  QuantizerSpec kept{
      .estimator = "ste", .format = Format::kInt4, .scheme = Scheme::kLinear, .block = 64, .sparsity = {2, 4}};
  PackedTensor masks = *Encode(kept, x, kRows, kFeatures);
  masks.masks[0] = 0xFF;
  EXPECT_EQ(CheckPacked(masks.view()).message(), "masks of row 0: group 0 is 7, and 2:4 has 6 masks");
  PackedTensor patterns = *Encode(OneBit({2, 4}), x, kRows, kFeatures);
  for (int i = 0; i < 3; ++i) patterns.codes[static_cast<size_t>(patterns.layout.code_row_bytes + i)] = 0xFF;
  EXPECT_EQ(CheckPacked(patterns.view()).message(),
            "codes of row 1: a word of 5 groups is beyond the 24 patterns of 2:4");
}

}  // namespace
}  // namespace ridgeline
