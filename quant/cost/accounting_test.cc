// SPDX-License-Identifier: Apache-2.0
#include "quant/cost/accounting.h"

#include <gtest/gtest.h>

namespace ridgeline {
namespace {

LinearCost Layer(QuantizerSpec weight, QuantizerSpec activation) {
  return {.name = "layer", .rows = 4, .columns = 256, .weight = weight, .activation = activation};
}

LinearCost Head(int64_t rows, int64_t columns, QuantizerSpec weight = {}) {
  return {.name = "head", .rows = rows, .columns = columns, .weight = weight, .activation = {}};
}

TEST(AccountingTest, UnquantizedLayersCostSixteenBits) {
  ModelCost cost = CostOfModel({Layer({}, {})}, Head(5, 10), 50);
  EXPECT_DOUBLE_EQ(cost.storage_bytes, (4 * 256 + 50 + 50) * 2);
  EXPECT_DOUBLE_EQ(cost.bits_per_element, 16);
  EXPECT_DOUBLE_EQ(cost.energy_proxy, (4 * 256 + 50) * 256.0);
}

TEST(AccountingTest, AffineOneBitInBlocksOf128CostsOneBitAndAQuarter) {
  QuantizerSpec affine{.estimator = "ridge", .format = Format::kInt1, .scheme = Scheme::kAffine, .block = 128};
  ModelCost cost = CostOfModel({Layer(affine, affine)}, {}, 0);
  EXPECT_DOUBLE_EQ(cost.bits_per_element, 1.25);
  EXPECT_DOUBLE_EQ(cost.storage_bytes, 4 * 256 * 1.25 / 8);
  EXPECT_DOUBLE_EQ(cost.energy_proxy, 4 * 256 * 1.0);
}

TEST(AccountingTest, LinearStoresHalfTheMetadataOfAffine) {
  QuantizerSpec linear{.estimator = "ste", .format = Format::kInt1, .scheme = Scheme::kLinear, .block = 128};
  EXPECT_DOUBLE_EQ(CostOfModel({Layer(linear, {})}, {}, 0).bits_per_element, 1.125);
}

TEST(AccountingTest, AShortTailIsABlockWithItsOwnMetadata) {
  QuantizerSpec linear{.estimator = "ste", .format = Format::kInt2, .scheme = Scheme::kLinear, .block = 200};
  EXPECT_DOUBLE_EQ(CostOfModel({Layer(linear, {})}, {}, 0).storage_bytes, (4 * 256 * 2 + 4 * 2 * 16) / 8.0);
}

TEST(AccountingTest, ScalesCostWhatTheirEncodingTakes) {
  for (auto [format, block, bits] :
       {std::tuple{Format::kMxFp4, 32, 4.25},
        {Format::kNvFp4, 16, 4.5 + 32.0 / 1024},
        {Format::kMxFp6E2M3, 32, 6.25},
        {Format::kMxInt8, 32, 8.25},
        {Format::kBitModFp3, 128, 3 + 16.0 / 128 + 8.0 / 256},  // A byte for the selectors of a row.
        {Format::kFp4, 128, 4.125}}) {
    QuantizerSpec spec{.estimator = "ste", .format = format, .scheme = Scheme::kLinear, .block = block};
    EXPECT_DOUBLE_EQ(CostOfModel({Layer(spec, {})}, {}, 0).bits_per_element, bits) << FormatName(format);
  }
}

TEST(AccountingTest, ARowOrATensorSharesOneGrid) {
  QuantizerSpec spec{.estimator = "ste", .format = Format::kInt4, .scheme = Scheme::kLinear};
  spec.granularity = Granularity::kRow;
  EXPECT_DOUBLE_EQ(CostOfModel({Layer(spec, {})}, {}, 0).bits_per_element, 4 + 16.0 / 256);
  spec.granularity = Granularity::kTensor;
  EXPECT_DOUBLE_EQ(CostOfModel({Layer(spec, {})}, {}, 0).bits_per_element, 4 + 16.0 / 1024);
}

TEST(AccountingTest, AHeadCostsWhatItsCodesTakeAndIsNoLayer) {
  QuantizerSpec signed4{.estimator = "torchao", .format = Format::kInt4, .scheme = Scheme::kLinear, .block = 32};
  ModelCost cost = CostOfModel({Layer({}, {})}, Head(100, 64, signed4), 0);
  EXPECT_DOUBLE_EQ(cost.storage_bytes, 4 * 256 * 2 + 100 * 64 * 4.5 / 8);
  EXPECT_DOUBLE_EQ(cost.bits_per_element, 16);
  EXPECT_DOUBLE_EQ(cost.energy_proxy, 4 * 256 * 256 + 100 * 64 * 4 * 16);
}

TEST(AccountingTest, AnEstimatorOfNoneCostsSixteenBitsWhateverTheFormat) {
  QuantizerSpec off{.estimator = "none", .format = Format::kInt4};
  EXPECT_DOUBLE_EQ(CostOfModel({Layer(off, off)}, {}, 0).bits_per_element, 16);
}

TEST(AccountingTest, TwoOfFourStoresHalfTheCodesAndThreeBitsForEachGroup) {
  QuantizerSpec sparse{.estimator = "ridge", .format = Format::kInt4, .scheme = Scheme::kLinear, .sparsity = {2, 4}};
  ModelCost cost = CostOfModel({Layer(sparse, {})}, {}, 0);
  EXPECT_DOUBLE_EQ(cost.bits_per_element, 4 * 0.5 + 3.0 / 4 + 16.0 / 128);
  EXPECT_DOUBLE_EQ(cost.energy_proxy, 4 * 256 * (4 * 16 * 0.5));
}

TEST(AccountingTest, PrunedWeightsWithoutAFormatStoreSixteenBitsOfWhatIsKept) {
  ModelCost cost = CostOfModel({Layer({.sparsity = {1, 4}}, {})}, {}, 0);
  EXPECT_DOUBLE_EQ(cost.bits_per_element, 16 * 0.25 + 2.0 / 4);
}

}  // namespace
}  // namespace ridgeline
