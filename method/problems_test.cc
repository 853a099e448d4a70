// SPDX-License-Identifier: Apache-2.0
#include "method/problems.h"

#include <gtest/gtest.h>

#include "method/every_spec.h"

namespace ridgeline {
namespace {

TEST(ProblemsTest, AffineTernaryIsRefused) {
  QuantizerSpec spec{.estimator = "ridge", .format = Format::kTernary, .scheme = Scheme::kAffine};
  EXPECT_FALSE(ValidateQuantizerSpec(spec).ok());
}

TEST(ProblemsTest, QuestIsLinearOnADetachedGaussianGrid) {
  QuantizerSpec quest{
      .estimator = "quest", .format = Format::kInt1, .scheme = Scheme::kLinear, .grid = GridStatistics::kGaussian};
  EXPECT_TRUE(ValidateQuantizerSpec(quest).ok());
  QuantizerSpec affine = quest, minmax = quest, graph = quest;
  affine.scheme = Scheme::kAffine;
  minmax.grid = GridStatistics::kMinMax;
  graph.grid_gradient = GridGradient::kGraph;
  for (const QuantizerSpec& spec : {affine, minmax, graph}) EXPECT_FALSE(ValidateQuantizerSpec(spec).ok());
}

TEST(ProblemsTest, RidgeTrustNeedsADetachedGaussianGridInEitherScheme) {
  for (Scheme scheme : {Scheme::kLinear, Scheme::kAffine}) {
    QuantizerSpec spec{
        .estimator = "ridge_trust", .format = Format::kInt2, .scheme = scheme, .grid = GridStatistics::kGaussian};
    EXPECT_TRUE(ValidateQuantizerSpec(spec).ok());
    spec.grid = GridStatistics::kMinMax;
    EXPECT_FALSE(ValidateQuantizerSpec(spec).ok());
  }
}

TEST(ProblemsTest, AHadamardBlockIsAPowerOfTwoWithoutATail) {
  QuantizerSpec spec{.estimator = "ridge", .format = Format::kInt2, .block = 96};
  EXPECT_TRUE(ValidateQuantizerSpec(spec).ok());
  EXPECT_TRUE(ValidateFeatures(spec, 100).ok());
  spec.hadamard = true;
  EXPECT_NE(std::string(ValidateQuantizerSpec(spec).message()).find("96"), std::string::npos);
  spec.block = 64;
  EXPECT_TRUE(ValidateQuantizerSpec(spec).ok());
  EXPECT_TRUE(ValidateFeatures(spec, 192).ok());
  EXPECT_NE(std::string(ValidateFeatures(spec, 96).message()).find("tail of 32"), std::string::npos);
}

TEST(ProblemsTest, MxAndNvFormatsHaveTheirOwnBlockAndScale) {
  QuantizerSpec spec{.estimator = "ste", .format = Format::kMxFp4, .scheme = Scheme::kLinear, .block = 32};
  EXPECT_TRUE(ValidateQuantizerSpec(spec).ok());
  QuantizerSpec affine = spec, block = spec, gaussian = spec, graph = spec, row = spec, ridge = spec;
  affine.scheme = Scheme::kAffine;
  block.block = 16;
  gaussian.grid = GridStatistics::kGaussian;
  graph.grid_gradient = GridGradient::kGraph;
  row.granularity = Granularity::kRow;
  ridge.estimator = "ridge";
  for (const QuantizerSpec& other : {affine, block, gaussian, graph, row, ridge})
    EXPECT_FALSE(ValidateQuantizerSpec(other).ok());
  EXPECT_EQ(ValidateQuantizerSpec(block).message(), "block: mxfp4 has no blocks of 16: use 32");
}

TEST(ProblemsTest, AHadamardMatrixRotatesBlocksOnly) {
  QuantizerSpec spec{.estimator = "ste", .format = Format::kInt4, .hadamard = true};
  EXPECT_TRUE(ValidateQuantizerSpec(spec).ok());
  spec.granularity = Granularity::kRow;
  EXPECT_FALSE(ValidateQuantizerSpec(spec).ok());
}

TEST(ProblemsTest, ALearnedScaleBelongsToRowsOrToTheTensor) {
  int count = 0;
  for (const EstimatorTraits& traits : EveryEstimator()) {
    if (!traits.learns_scale()) continue;
    ++count;
    QuantizerSpec spec{.estimator = std::string(traits.name), .format = Format::kInt4, .scheme = Scheme::kLinear};
    EXPECT_NE(std::string(ValidateQuantizerSpec(spec).message()).find("use row or tensor"), std::string::npos);
    for (Granularity granularity : {Granularity::kRow, Granularity::kTensor}) {
      spec.granularity = granularity;
      EXPECT_TRUE(ValidateQuantizerSpec(spec).ok()) << ValidateQuantizerSpec(spec);
    }
    spec.format = Format::kFp4;
    EXPECT_FALSE(ValidateQuantizerSpec(spec).ok());
  }
  EXPECT_GE(count, 4);
}

TEST(ProblemsTest, OnlyRidgeOnADetachedGridHasAFitToDetach) {
  QuantizerSpec spec{.estimator = "ridge", .format = Format::kInt4, .fit_gradient = FitGradient::kDetached};
  QuantizerSpec ste = spec, graph = spec;
  EXPECT_TRUE(ValidateQuantizerSpec(spec).ok());
  ste.estimator = "ste";
  EXPECT_NE(std::string(ValidateQuantizerSpec(ste).message()).find("use ridge or ridge_trust"), std::string::npos);
  graph.grid_gradient = GridGradient::kGraph;
  EXPECT_NE(std::string(ValidateQuantizerSpec(graph).message()).find("use detached"), std::string::npos);
}

TEST(ProblemsTest, ANegativeTrustIsRefused) {
  QuantizerSpec spec{.estimator = "ste", .format = Format::kInt4, .trust = -0.1};
  EXPECT_NE(std::string(ValidateQuantizerSpec(spec).message()).find("trust is -0.1: use 0 or more"), std::string::npos);
}

TEST(ProblemsTest, SignsNeedAHadamardMatrix) {
  QuantizerSpec spec{.estimator = "ste", .format = Format::kInt4, .hadamard_signs = true};
  EXPECT_NE(std::string(ValidateQuantizerSpec(spec).message()).find("hadamard is false"), std::string::npos);
  spec.hadamard = true;
  EXPECT_TRUE(ValidateQuantizerSpec(spec).ok());
}

QuantizerSpec Sparse(int n, int m) {
  return {.estimator = "ridge", .format = Format::kInt4, .scheme = Scheme::kLinear, .sparsity = {n, m}};
}

TEST(ProblemsTest, SparsityKeepsSomeOfAtMost32) {
  for (auto [n, m] : {std::pair{0, 0}, {1, 1}, {2, 2}, {2, 4}, {4, 8}, {1, 4}, {3, 4}, {1, 32}})
    EXPECT_TRUE(ValidateQuantizerSpec(Sparse(n, m)).ok()) << n << ":" << m;
  for (auto [n, m] : {std::pair{0, 4}, {5, 4}, {-1, -1}, {-1, 4}, {4, 64}})
    EXPECT_FALSE(ValidateQuantizerSpec(Sparse(n, m)).ok()) << n << ":" << m;
}

TEST(ProblemsTest, AffineSparsityIsRefusedWithTheReason) {
  QuantizerSpec spec = Sparse(2, 4);
  spec.scheme = Scheme::kAffine;
  EXPECT_NE(std::string(ValidateQuantizerSpec(spec).message()).find("prunes are zero"), std::string::npos);
  spec.format = Format::kNone;  // Pruning alone has no codes.
  EXPECT_TRUE(ValidateQuantizerSpec(spec).ok());
}

TEST(ProblemsTest, SparseGroupsAreNotCutByBlocksNorByRows) {
  QuantizerSpec spec = Sparse(2, 4);
  spec.block = 126;
  EXPECT_NE(std::string(ValidateQuantizerSpec(spec).message()).find("126"), std::string::npos);
  spec.format = Format::kNone;
  EXPECT_TRUE(ValidateQuantizerSpec(spec).ok());
  EXPECT_NE(std::string(ValidateFeatures(Sparse(2, 4), 130).message()).find("tail of 2"), std::string::npos);
}

TEST(ProblemsTest, ANegativeMaskDecayIsRefused) {
  QuantizerSpec spec = Sparse(2, 4);
  spec.mask_decay = -1e-4;
  EXPECT_FALSE(ValidateQuantizerSpec(spec).ok());
}

// A row for one side is refused on the other, whatever else the spec says; unknown sides are given the benefit.
TEST(ProblemsTest, AnEstimatorOfOneSideIsRefusedOnTheOther) {
  int refused = 0;
  for (const QuantizerSpec& spec : EverySpec({})) {
    const EstimatorTraits& traits = *FindEstimatorTraits(spec.estimator);
    for (Side side : {Side::kWeight, Side::kActivation}) {
      if (traits.is_defined_for(side)) continue;
      const std::string message(ValidateQuantizerSpec(spec, side).message());
      EXPECT_NE(message.find(std::string(SideName(*traits.only)) + "s only"), std::string::npos) << message;
      ++refused;
    }
  }
  EXPECT_GE(refused, 20);
  for (std::string estimator : {"gaussws", "diffq"}) {
    QuantizerSpec noise{.estimator = estimator, .format = Format::kInt4};
    noise.scheme = *FindEstimatorTraits(estimator)->scheme;
    EXPECT_TRUE(ValidateQuantizerSpec(noise, Side::kWeight).ok());
    EXPECT_EQ(ProblemsOf(noise, Side::kActivation).at(0).field, SpecField::kFormat);
  }
}

TEST(ProblemsTest, AnActivationsLearnedScaleIsTheTensorsOrThatOfEachToken) {
  QuantizerSpec spec{.estimator = "lsq", .format = Format::kInt4, .scheme = Scheme::kLinear};
  spec.granularity = Granularity::kRow;
  EXPECT_TRUE(ValidateQuantizerSpec(spec, Side::kWeight).ok());
  EXPECT_EQ(ValidateQuantizerSpec(spec, Side::kActivation).message(),
            "granularity: lsq has no granularity row: use tensor");
  spec.estimator = "asq";
  EXPECT_TRUE(ValidateQuantizerSpec(spec, Side::kActivation).ok());
}

TEST(ProblemsTest, AllThatIsWrongIsSaidWithFieldCauseAndRemedy) {
  QuantizerSpec spec{.estimator = "quest", .format = Format::kInt4, .sparsity = {2, 4}};
  std::vector<std::pair<SpecField, SpecField>> found;
  for (const SpecProblem& problem : ProblemsOf(spec)) {
    found.emplace_back(problem.field, problem.cause);
    EXPECT_FALSE(problem.message.empty() || problem.remedy.empty());
  }
  EXPECT_EQ(found, (std::vector<std::pair<SpecField, SpecField>>{{SpecField::kScheme, SpecField::kEstimator},
                                                                 {SpecField::kGrid, SpecField::kEstimator},
                                                                 {SpecField::kScheme, SpecField::kSparsity}}));
  EXPECT_EQ(SpecFieldName(SpecField::kMaskDecay), "mask_decay");
}

TEST(ProblemsTest, AnUnknownEstimatorIsRefusedWithTheNames) {
  const QuantizerSpec spec{.estimator = "rigde", .format = Format::kInt4};
  EXPECT_NE(ValidateQuantizerSpec(spec).message().find("'rigde' is unknown: use none, ridge, ste"), std::string::npos);
}

// Whoever neither names an estimator without a sparse form nor prunes is not told of it.
TEST(ProblemsTest, EstimatorsWithoutASparseFormAreRefusedOnlyWithAPattern) {
  int refused = 0;
  for (QuantizerSpec spec : EverySpec({.schemes = {Scheme::kLinear, Scheme::kAffine}})) {
    spec.sparsity = {1, 2};
    bool says_so = false;
    for (const SpecProblem& problem : ProblemsOf(spec))
      says_so |= problem.field == SpecField::kEstimator && problem.cause == SpecField::kSparsity;
    EXPECT_EQ(says_so, !FindEstimatorTraits(spec.estimator)->prunes) << DescribeSpec(spec);
    refused += says_so ? 1 : 0;
  }
  EXPECT_GE(refused, 50);
}

}  // namespace
}  // namespace ridgeline
