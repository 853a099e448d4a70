// SPDX-License-Identifier: Apache-2.0
// Products of packed matrices are those of the fake-quantized operands, for every format of weights, with inputs of
// every format and as they come.
#include "quant/packed/packed_matrix.h"

#include <gtest/gtest.h>
#include <hwy/highway.h>

#include <random>

#include "method/every_spec.h"
#include "method/problems.h"
#include "quant/codes/bits.h"
#include "quant/codes/row_levels.h"
#include "quant/kernels/estimator.h"
#include "quant/kernels/kernel_matrix.h"
#include "quant/packed/row_products.h"
#include "quant/packed/unpack.h"
#include "quant/testing/all_close.h"

namespace ridgeline {
namespace {

using Numbers = std::vector<float>;

// Relative to the largest product: float sums of products that are exact.
constexpr double kRounding = 2e-5;
// Of what inputs that are not quantized lose by having 16 bits.
constexpr double kRoundingToSixteenBits = 6e-5;
constexpr int64_t kRows = 9, kFeatures = 192, kCount = 5;  // Four inputs are taken at once.

Numbers RandomNumbers(int64_t n, unsigned seed, float mean = 0.02f) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(mean, 0.1f);
  Numbers x(static_cast<size_t>(n));
  for (float& value : x) value = normal(engine);
  return x;
}

bool IsOfWeights(const EstimatorTraits& traits) { return traits.is_defined_for(Side::kWeight); }
bool IsOfInputs(const EstimatorTraits& traits) {
  return traits.is_defined_for(Side::kActivation) && !traits.learns_scale();
}

Numbers LearnedScales(const QuantizerSpec& spec) {
  if (!spec.learns_scale()) return {};
  return Numbers(spec.granularity == Granularity::kTensor ? 1 : kRows, 0.05f);
}

// What a layer that is trained multiplies with.
Numbers FakeQuantized(const QuantizerSpec& spec, const Numbers& x, int64_t rows) {
  if (!spec.quantizes()) return x;
  KernelMatrix matrix = KernelMatrixOf(spec, rows, kFeatures);
  if (ScaleEncodingOf(spec.format) == ScaleEncoding::kE4m3)
    matrix.spec.tensor_max = LargestOfMatrix(spec, x.data(), rows, kFeatures);
  Numbers x_hat(x.size());
  EstimatorFor(spec).value()->Forward(matrix.spec, x.data(), matrix.rows, matrix.features, x_hat.data());
  return x_hat;
}

std::vector<double> Product(const Numbers& x, const Numbers& w) {
  std::vector<double> y(static_cast<size_t>(kCount * kRows), 0);
  for (size_t c = 0; c < kCount; ++c)
    for (size_t r = 0; r < kRows; ++r)
      for (size_t i = 0; i < kFeatures; ++i)
        y[c * kRows + r] += static_cast<double>(x[c * kFeatures + i]) * w[r * kFeatures + i];
  return y;
}

PackedTensor PackedOf(const QuantizerSpec& spec) {
  return Encode(spec, RandomNumbers(kRows * kFeatures, 1), kRows, kFeatures, LearnedScales(spec)).value();
}

// The packed product, and the one of what is multiplied. `inputs` are given as x_hat where the matrix does not
// quantize.
void ExpectSameProduct(const QuantizerSpec& weights, const QuantizerSpec& inputs, bool quantizes) {
  SCOPED_TRACE(DescribeSpec(weights) + " with " + (inputs.quantizes() ? DescribeSpec(inputs) : "floats"));
  const PackedTensor packed = PackedOf(weights);
  const absl::StatusOr<PackedMatrix> matrix = PackedMatrix::Create(packed, inputs);
  ASSERT_TRUE(matrix.ok()) << matrix.status();
  ASSERT_EQ(matrix->quantizes_inputs(), quantizes);
  const Numbers x = RandomNumbers(kCount * kFeatures, 2), x_hat = FakeQuantized(inputs, x, kCount);
  Numbers w_hat(kRows * kFeatures), y(kCount * kRows), by_ref(kCount * kRows);
  DecodeRows(packed.view(), 0, kRows, Rotated::kBack, w_hat.data());
  const PreparedInputs prepared = matrix->Prepare(quantizes ? x : x_hat, kCount);
  matrix->Multiply(prepared, 0, 5, y.data(), kRows);
  matrix->Multiply(prepared, 5, kRows, y.data(), kRows);
  matrix->Multiply_ref(prepared, 0, kRows, by_ref.data(), kRows);
  ASSERT_TRUE(AllClose(y, Product(x_hat, w_hat), quantizes ? kRounding : kRoundingToSixteenBits));
  ASSERT_TRUE(AllClose(y, by_ref, kRounding));
  if (!quantizes) {
    const auto [rounded, rest] = matrix->PrepareFloats(x_hat, kCount);
    Numbers more(y.size());
    matrix->Multiply(rounded, 0, kRows, y.data(), kRows);
    matrix->Multiply(rest, 0, kRows, more.data(), kRows);
    for (size_t i = 0; i < y.size(); ++i) y[i] += more[i];
    ASSERT_TRUE(AllClose(y, Product(x_hat, w_hat), kRounding));
  }
  const bool has_scale_of_all =
      inputs.granularity == Granularity::kTensor || ScaleEncodingOf(inputs.format) == ScaleEncoding::kE4m3;
  if (quantizes && has_scale_of_all) return;
  // Few inputs may be other whole numbers.
  const std::span<const float> first = std::span(quantizes ? x : x_hat).first(kFeatures);
  Numbers alone(kRows);
  matrix->Multiply(matrix->Prepare(first, 1), 0, kRows, alone.data(), kRows);
  const std::vector<double> among_others(y.begin(), y.begin() + kRows);
  ASSERT_TRUE(AllClose(alone, among_others, quantizes ? kRounding : kRoundingToSixteenBits));
}

std::vector<QuantizerSpec> EveryWeight() {
  return EverySpec({.estimators = IsOfWeights,
                    .granularities = {Granularity::kBlock, Granularity::kRow, Granularity::kTensor},
                    .rotations = {{}, {true, true}},
                    .sparsities = {{}, {2, 4}, {1, 8}},
                    .block = 64});
}

bool HasWholeLevels(const QuantizerSpec& spec) { return PackedMatrix::Create(PackedOf(spec), {}).ok(); }

TEST(PackedMatrixTest, WeightsOfEveryFormatMultiplyFloats) {
  size_t without = 0, count = 0;
  for (const QuantizerSpec& weights : EveryWeight()) {
    if (!HasWholeLevels(weights)) {
      ++without;
      const FloatElement element = FloatElementOf(weights.format);
      EXPECT_TRUE(weights.estimator == "post" || element.exponent_bits > 2 || weights.format == Format::kInt8)
          << DescribeSpec(weights);
      continue;
    }
    ++count;
    ExpectSameProduct(weights, {}, false);
    if (HasFatalFailure()) return;
  }
  EXPECT_GE(count, 300u);
  EXPECT_GE(without, 10u);
}

TEST(PackedMatrixTest, InputsOfEveryFormatAreMultipliedAsWholeNumbers) {
  const std::vector<QuantizerSpec> weights = {
      {.estimator = "ste", .format = Format::kInt4, .scheme = Scheme::kAffine, .block = 32},
      {.estimator = "ste", .format = Format::kInt1, .scheme = Scheme::kLinear, .block = 64, .sparsity = {1, 4}},
      {.estimator = "ste", .format = Format::kTernary, .scheme = Scheme::kLinear, .block = 192}};
  size_t whole = 0;
  for (const QuantizerSpec& inputs : EverySpec({.estimators = IsOfInputs,
                                     .granularities = {Granularity::kBlock, Granularity::kRow, Granularity::kTensor},
                                     .block = 64}))
    for (const QuantizerSpec& weight : weights) {
      const PackedMatrix matrix = PackedMatrix::Create(PackedOf(weight), inputs).value();
      whole += matrix.quantizes_inputs();
      ExpectSameProduct(weight, inputs, matrix.quantizes_inputs());
      if (HasFatalFailure()) return;
    }
  EXPECT_GE(whole, 200u);
}

TEST(PackedMatrixTest, OperandsThatAreRotatedAlikeAreMultipliedRotated) {
  for (const Format format : {Format::kInt1, Format::kInt2, Format::kInt4, Format::kTernary, Format::kFp4}) {
    QuantizerSpec spec{.estimator = "ridge_trust", .format = format, .scheme = Scheme::kLinear, .block = 64};
    spec.grid = GridStatistics::kGaussian;
    spec.hadamard = spec.hadamard_signs = true;
    ExpectSameProduct(spec, spec, true);
    QuantizerSpec other_block = spec, not_rotated = spec;
    other_block.block = 32;
    not_rotated.hadamard = not_rotated.hadamard_signs = false;
    ExpectSameProduct(spec, other_block, false);
    ExpectSameProduct(spec, not_rotated, false);
  }
}

TEST(PackedMatrixTest, LongBlocksWhoseSumsWouldOverflowAreLeftToFloats) {
  QuantizerSpec weights{.estimator = "torchao", .format = Format::kInt8, .scheme = Scheme::kLinear};
  weights.granularity = Granularity::kRow;
  QuantizerSpec inputs{.estimator = "ste", .format = Format::kInt8, .scheme = Scheme::kAffine};
  inputs.granularity = Granularity::kRow;
  const auto quantizes = [&](int64_t features) {
    PackedTensor packed = Encode(weights, Numbers(static_cast<size_t>(features), 0.5f), 1, features).value();
    return PackedMatrix::Create(std::move(packed), inputs)->quantizes_inputs();
  };
  EXPECT_TRUE(quantizes(1 << 14));
  EXPECT_FALSE(quantizes(1 << 17));
}

TEST(PackedMatrixTest, ANanInAnInputReachesItsOwnProductsAlone) {
  const QuantizerSpec spec{.estimator = "ste", .format = Format::kInt4, .scheme = Scheme::kAffine, .block = 64};
  const PackedMatrix matrix = PackedMatrix::Create(PackedOf(spec), spec).value();
  Numbers x = RandomNumbers(kCount * kFeatures, 2), y(kCount * kRows);
  x[kFeatures + 5] = NAN;
  matrix.Multiply(matrix.Prepare(x, kCount), 0, kRows, y.data(), kRows);
  for (size_t c = 0; c < kCount; ++c)
    for (size_t r = 0; r < kRows; ++r) EXPECT_EQ(std::isnan(y[c * kRows + r]), c == 1);
}

std::vector<QuantizerSpec> LinearAndAffine(Format format, int64_t block) {
  QuantizerSpec spec{.estimator = "ste", .format = format, .scheme = Scheme::kLinear, .block = block};
  if (format == Format::kTernary) return {spec};
  QuantizerSpec affine = spec;
  affine.scheme = Scheme::kAffine;
  return {spec, affine};
}

TEST(PackedMatrixTest, InputsThatAreNotQuantizedMayBeOfAnySize) {
  const QuantizerSpec spec{.estimator = "ste", .format = Format::kInt4, .scheme = Scheme::kAffine, .block = 64};
  const PackedMatrix matrix = PackedMatrix::Create(PackedOf(spec), {}).value();
  for (const int64_t count : {1, 5}) {
    Numbers x = RandomNumbers(count * kFeatures, 2), y(static_cast<size_t>(count * kRows));
    const auto multiply = [&] { matrix.Multiply(matrix.Prepare(x, count), 0, kRows, y.data(), kRows); };
    for (const float odd : {NAN, INFINITY, -INFINITY}) {
      x[5] = odd;
      multiply();
      for (size_t i = 0; i < y.size(); ++i) EXPECT_EQ(std::isnan(y[i]), i < kRows) << odd << ", " << i;
    }
    std::fill(x.begin(), x.begin() + kFeatures, 1e-42f);  // Whose step would be no number.
    multiply();
    for (size_t i = 0; i < kRows; ++i) EXPECT_EQ(y[i], 0);
    std::fill(x.begin(), x.begin() + kFeatures, 1e35f);
    multiply();
    for (size_t i = 0; i < kRows; ++i) EXPECT_TRUE(std::isfinite(y[i])) << y[i];
  }
}

// With each instruction set that this machine has and the library was compiled for, the plainest included.
class EveryInstructionSetTest : public testing::TestWithParam<int64_t> {
 protected:
  void SetUp() override { Use(GetParam()); }
  void TearDown() override { Use(0); }

 private:
  static void Use(int64_t target) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
};

INSTANTIATE_TEST_SUITE_P(PackedMatrixTest, EveryInstructionSetTest,
                         testing::ValuesIn(hwy::SupportedAndGeneratedTargets()),
                         [](const auto& target) { return std::string(hwy::TargetName(target.param)); });

// With all scales 1 and without offsets, so that sums of floats are exact, too.
void ExpectExactlyTheProductOfWholes(const QuantizerSpec& weights, const QuantizerSpec& inputs, int64_t features,
                                     int64_t count, Form form) {
  SCOPED_TRACE(DescribeSpec(weights) + " with " + (inputs.quantizes() ? DescribeSpec(inputs) : "floats") + ", " +
               std::to_string(count));
  constexpr int64_t kManyRows = 23;  // Sixteen are read at once, of which four are multiplied.
  PackedTensor packed = Encode(weights, RandomNumbers(kManyRows * features, 1), kManyRows, features).value();
  for (size_t i = 0; i < packed.scales.size(); ++i) packed.scales[i] = i % 2 == 0 ? 0x00 : 0x3C;  // float16
  std::fill(packed.offsets.begin(), packed.offsets.end(), uint8_t{0});
  const PackedMatrix matrix = PackedMatrix::Create(packed, inputs).value();
  PreparedInputs prepared = matrix.Prepare(RandomNumbers(count * features, 2), count);
  PackedInputs& view = prepared.view;
  ASSERT_EQ(view.form, form);
  std::fill(prepared.scales.begin(), prepared.scales.end(), 1.0f);
  view.bases = nullptr;
  for (int64_t c = 0; c < count; ++c)
    for (int64_t s = 0; s < view.segments; ++s) {
      int64_t sum = 0;
      for (int64_t i = s * view.segment; i < std::min((s + 1) * view.segment, features); ++i)
        sum += prepared.wholes[static_cast<size_t>(c * view.wholes_stride + i)];
      prepared.sums[static_cast<size_t>(s * view.segment_stride + c * view.input_stride)] = static_cast<float>(sum);
    }
  PreparedInputs by_wholes = prepared;
  by_wholes.view.form = Form::kWholes;
  by_wholes.view.are_in_lanes = false;
  Numbers y(static_cast<size_t>(count * kManyRows)), expected(y.size());
  matrix.Multiply(prepared, 0, 18, y.data(), kManyRows);
  matrix.Multiply(prepared, 18, kManyRows, y.data(), kManyRows);
  matrix.Multiply(by_wholes, 0, kManyRows, expected.data(), kManyRows);
  // Of 16 bits sums are more than a float holds exactly.
  constexpr double kRoundingOfFloats = 5e-6;
  const double tolerance = inputs.quantizes() ? 0 : kRoundingOfFloats;
  ASSERT_TRUE(AllClose(y, std::vector<double>(expected.begin(), expected.end()), tolerance));
}

TEST_P(EveryInstructionSetTest, ProductsOfBytesAreExactlyThoseOfWholeNumbers) {
  for (const Format format : {Format::kInt1, Format::kInt2, Format::kInt4, Format::kTernary})
    for (const int64_t block : {32, 64, 128, 192})
      for (const int64_t count : {4, 5, 16, 37})
        for (const QuantizerSpec& weights : LinearAndAffine(format, 384)) {
          const QuantizerSpec inputs{
              .estimator = "ste", .format = Format::kInt8, .scheme = Scheme::kLinear, .block = block};
          ExpectExactlyTheProductOfWholes(weights, inputs, 384, count, Form::kRaised);
          if (HasFatalFailure()) return;
        }
}

TEST_P(EveryInstructionSetTest, CountedSignsAreExactlyTheProductsOfWholeNumbers) {
  for (const auto& [format, input_format] :
       {std::pair(Format::kInt1, Format::kInt1), {Format::kInt1, Format::kInt2}, {Format::kInt2, Format::kInt1}})
    for (const int64_t block : {32, 64, 96, 128, 1152})
      for (const int64_t count : {1, 2, 7, 8, 16, 37})
        for (const QuantizerSpec& weights : LinearAndAffine(format, 1152))
          for (const QuantizerSpec& inputs : LinearAndAffine(input_format, block)) {
            const bool are_signs =
                SignLevelsOf(*CodeBookOf(weights), format) && SignLevelsOf(*CodeBookOf(inputs), input_format);
            if (!are_signs) continue;
            const Form many = UsesNibbles() ? Form::kNibbles : Form::kSigns;
            ExpectExactlyTheProductOfWholes(weights, inputs, 1152, count, count < 8 ? Form::kSigns : many);
            if (HasFatalFailure()) return;
          }
}

TEST_P(EveryInstructionSetTest, CodesAsTheyLieGiveExactlyTheProductsOfWholeNumbers) {
  const QuantizerSpec bytes{.estimator = "ste", .format = Format::kInt8, .scheme = Scheme::kLinear, .block = 128};
  for (const Format format : {Format::kInt1, Format::kInt2, Format::kInt4})
    for (const int64_t features : {640, 1152})  // Of which the last vector of codes is not full.
      for (const int64_t count : {1, 3})
        for (const QuantizerSpec& weights : LinearAndAffine(format, 128))
          for (const QuantizerSpec& inputs : {bytes, QuantizerSpec{}}) {
            ExpectExactlyTheProductOfWholes(weights, inputs, features, count, Form::kCodes);
            if (HasFatalFailure()) return;
          }
  for (const char* estimator : {"ste", "torchao"}) {
    QuantizerSpec weights = bytes;
    weights.estimator = estimator;
    ExpectExactlyTheProductOfWholes(weights, bytes, 1152, 1, Form::kCodes);
    ExpectExactlyTheProductOfWholes(weights, {}, 1152, 2, Form::kCodes);
  }
}

TEST(PackedMatrixTest, JointCodesLookedUpGiveExactlyTheProductsOfWholeNumbers) {
  const QuantizerSpec bytes{.estimator = "ste", .format = Format::kInt8, .scheme = Scheme::kLinear, .block = 128};
  for (const SparsityPattern sparsity : {SparsityPattern{1, 2}, {1, 4}, {1, 8}})
    for (const int64_t count : {1, 3})
      for (const QuantizerSpec& inputs : {bytes, QuantizerSpec{}}) {
        const QuantizerSpec weights{
            .estimator = "ste", .format = Format::kInt1, .scheme = Scheme::kLinear, .block = 128, .sparsity = sparsity};
        ExpectExactlyTheProductOfWholes(weights, inputs, 1152, count, Form::kGroups);
        if (HasFatalFailure()) return;
      }
}

TEST(PackedMatrixTest, NoInputsHaveNoProducts) {
  const QuantizerSpec codes{.estimator = "ste", .format = Format::kInt4, .scheme = Scheme::kLinear, .block = 64};
  const QuantizerSpec signs{.estimator = "ste", .format = Format::kInt1, .scheme = Scheme::kLinear, .block = 64};
  QuantizerSpec groups = signs, of_tensor = codes;
  groups.sparsity = {1, 4};
  of_tensor.granularity = Granularity::kTensor;
  for (const QuantizerSpec& weights : {codes, signs, groups})
    for (const QuantizerSpec& inputs : {QuantizerSpec{}, codes, signs, of_tensor}) {
      const PackedMatrix matrix = PackedMatrix::Create(PackedOf(weights), inputs).value();
      const PreparedInputs prepared = matrix.Prepare({}, 0);
      EXPECT_EQ(prepared.view.count, 0);
      matrix.Multiply(prepared, 0, kRows, nullptr, kRows);
      if (matrix.quantizes_inputs()) continue;
      const auto [rounded, rest] = matrix.PrepareFloats({}, 0);
      matrix.Multiply(rounded, 0, kRows, nullptr, kRows);
      matrix.Multiply(rest, 0, kRows, nullptr, kRows);
    }
}

// Of a row whose codes are the largest but for one with `x`, whose levels are those of `inputs`.
void ExpectTheProductsOfTheLargestCodes(const QuantizerSpec& weights, const QuantizerSpec& inputs, const Numbers& x,
                                        int64_t features) {
  const auto count = static_cast<int64_t>(x.size()) / features;
  SCOPED_TRACE(DescribeSpec(weights) + " with " + DescribeSpec(inputs) + ", " + std::to_string(count));
  Numbers w(static_cast<size_t>(features), 1), y(static_cast<size_t>(count));
  w[0] = -1;  // Else there is no grid.
  const PackedTensor packed = Encode(weights, w, 1, features).value();
  const PackedMatrix matrix = PackedMatrix::Create(packed, inputs).value();
  matrix.Multiply(matrix.Prepare(x, count), 0, 1, y.data(), 1);
  DecodeRows(packed.view(), 0, 1, Rotated::kBack, w.data());
  std::vector<double> expected(y.size(), 0);
  for (size_t i = 0; i < x.size(); ++i)
    expected[i / w.size()] += static_cast<double>(x[i]) * static_cast<double>(w[i % w.size()]);
  ASSERT_TRUE(AllClose(y, expected, kRoundingToSixteenBits));
}

// They are beyond those of the element.
TEST_P(EveryInstructionSetTest, SumsOfLevelsThatBitModAddsDoNotOverflow) {
  for (const auto& [format, largest] : {std::pair(Format::kBitModFp3, 4.0f), {Format::kBitModFp4, 6.0f}})
    for (const Format of_weights : {Format::kInt4, Format::kInt5, Format::kInt6})
      for (const int64_t block : {128, 1024}) {
        Numbers x(8 * 1024, static_cast<float>(BitModLevelsOf(format).farther));
        for (size_t i = 0; i < x.size(); i += 16) x[i] = -largest;
        const QuantizerSpec weights{
            .estimator = "ste", .format = of_weights, .scheme = Scheme::kAffine, .block = block};
        const QuantizerSpec inputs{.estimator = "ste", .format = format, .scheme = Scheme::kLinear, .block = block};
        ExpectTheProductsOfTheLargestCodes(weights, inputs, x, 1024);
        if (HasFatalFailure()) return;
      }
}

TEST_P(EveryInstructionSetTest, SumsOfLongRowsDoNotOverflow) {
  QuantizerSpec weights{.estimator = "ste", .format = Format::kInt8, .scheme = Scheme::kAffine};
  weights.granularity = Granularity::kRow;
  for (const Format format : {Format::kInt6, Format::kInt8})
    for (const int64_t features : {1 << 16, 1 << 17, 1 << 18})
      for (const int64_t count : {1, 4}) {
        QuantizerSpec inputs{.estimator = "ste", .format = format, .scheme = Scheme::kLinear};
        inputs.granularity = Granularity::kRow;
        ExpectTheProductsOfTheLargestCodes(weights, inputs, Numbers(static_cast<size_t>(count * features), 1),
                                           features);
        if (HasFatalFailure()) return;
      }
}

TEST_P(EveryInstructionSetTest, PairsAreExactlyTheProductsOfWholeNumbers) {
  for (const int64_t block : {32, 62, 128})
    for (const int64_t count : {4, 21}) {
      QuantizerSpec weights{.estimator = "torchao", .format = Format::kInt8, .scheme = Scheme::kLinear, .block = block};
      const QuantizerSpec inputs{
          .estimator = "ste", .format = Format::kInt8, .scheme = Scheme::kLinear, .block = block};
      ExpectExactlyTheProductOfWholes(weights, inputs, 385, count, Form::kPairs);
      ExpectExactlyTheProductOfWholes(weights, {}, 385, count, Form::kPairs);
      if (HasFatalFailure()) return;
    }
}

TEST(PackedMatrixTest, BytesWhosePairsWouldOverflowAreMultipliedWider) {
  QuantizerSpec weights{.estimator = "torchao", .format = Format::kInt8, .scheme = Scheme::kLinear, .block = 64};
  const QuantizerSpec inputs{.estimator = "ste", .format = Format::kInt8, .scheme = Scheme::kLinear, .block = 64};
  const PackedMatrix matrix = PackedMatrix::Create(PackedOf(weights), inputs).value();
  EXPECT_TRUE(matrix.quantizes_inputs());
  EXPECT_EQ(matrix.Prepare(RandomNumbers(8 * kFeatures, 2), 8).view.form, Form::kPairs);
}

TEST(PatternRowsTest, GivesTheNumbersOfEveryGroupThatJointCodesHave) {
  size_t tables = 0;
  for (const Format format : {Format::kInt1, Format::kTernary})
    for (const SparsityPattern sparsity : {SparsityPattern{1, 2}, {1, 4}, {2, 4}, {3, 4}, {1, 8}, {2, 8}, {1, 16}})
      for (const int64_t groups : {1, 2, 3, 5, 19, 20, 21, 40, 97}) {
        QuantizerSpec spec{.estimator = "ste", .format = format, .scheme = Scheme::kLinear, .sparsity = sparsity};
        spec.granularity = Granularity::kRow;
        const int64_t features = groups * sparsity.m;
        const PackedTensor packed = Encode(spec, RandomNumbers(3 * features, 4, 0), 3, features).value();
        ASSERT_EQ(packed.layout.storage, CodeStorage::kPatterns);
        const std::optional<PatternRows> rows = PatternRows::Create(packed.layout, -1, 1);
        if (!rows) continue;
        ++tables;
        const PackedView view = packed.view();
        RowLevels<int8_t> levels(view, [](float level) { return static_cast<int8_t>(level); });
        std::vector<BlockStatistics> statistics(static_cast<size_t>(packed.layout.blocks_per_row));
        std::vector<int8_t> expected(static_cast<size_t>(features)), wholes(expected.size() + kRoomBeyondWholes);
        for (int64_t row = 0; row < 3; ++row) {
          levels.Read(row, statistics.data(), expected.data());
          const int64_t begin = row * packed.layout.code_row_bytes;
          rows->Read(packed.codes.data() + begin, packed.layout.code_bytes() - begin, wholes.data());
          for (size_t i = 0; i < expected.size(); ++i)
            ASSERT_EQ(wholes[i], expected[i]) << DescribeSpec(spec) << ", " << groups << " groups, number " << i;
        }
      }
  EXPECT_GE(tables, 60u);
}

TEST(UnpackWholesTest, GivesTheLevelsOfTheCodesThatBitsHave) {
  std::mt19937 engine(3);
  int8_t table[16];
  for (int i = 0; i < 16; ++i) table[i] = static_cast<int8_t>(3 * i - 20);
  for (int bits : {1, 2, 4})
    for (int64_t n : {1, 15, 16, 64, 127, 128, 129, 300}) {
      std::vector<uint8_t> codes(static_cast<size_t>(n)), bytes(static_cast<size_t>(BytesOfBits(n * bits)) + 16);
      for (uint8_t& code : codes) code = static_cast<uint8_t>(engine() & ((1u << bits) - 1));
      PackBits(codes.data(), n, bits, bytes.data());
      std::vector<int8_t> wholes(static_cast<size_t>(n));
      UnpackWholes(bytes.data(), n, bits, table, wholes.data());
      for (size_t i = 0; i < codes.size(); ++i) ASSERT_EQ(wholes[i], table[codes[i]]) << bits << " bits, " << n;
    }
}

}  // namespace
}  // namespace ridgeline
