// SPDX-License-Identifier: Apache-2.0
// The table of estimators: that its rows fit together, and that docs/methods.md has a section for each.
#include "method/estimator_traits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "method/every_spec.h"
#include "method/problems.h"

namespace ridgeline {
namespace {

TEST(EstimatorTraitsTest, NamesAreUniqueAndFindTheirRows) {
  std::set<std::string_view> names = {"none"};
  for (const EstimatorTraits& traits : EveryEstimator()) {
    EXPECT_TRUE(names.insert(traits.name).second) << traits.name;
    EXPECT_EQ(FindEstimatorTraits(traits.name), &traits);
  }
  EXPECT_GE(EveryEstimator().size(), 16u);
  EXPECT_EQ(FindEstimatorTraits("none"), nullptr);
  EXPECT_EQ(FindEstimatorTraits("rigde"), nullptr);
  EXPECT_NE(FindEstimatorTraits(kDefaultEstimator), nullptr);
}

TEST(EstimatorTraitsTest, RowsSayNothingThatContradictsItself) {
  for (const EstimatorTraits& traits : EveryEstimator()) {
    SCOPED_TRACE(traits.name);
    EXPECT_FALSE(traits.accepts(Format::kNone) && !traits.accepts(Format::kInt4)) << "accepts only none";
    EXPECT_FALSE(traits.formats.empty());
    EXPECT_EQ(traits.decoding == Decoding::kLearned, traits.learns_scale());
    EXPECT_EQ(traits.decoding == Decoding::kRidge, traits.has_fit());
    EXPECT_FALSE(traits.has_fit() && traits.mask == TrustMask::kUnclipped);
    if (!traits.has_shared_grid()) {
      EXPECT_EQ(traits.mask, TrustMask::kNone) << "whose mask is its own";
    }
    if (traits.mask != TrustMask::kNone) {
      EXPECT_EQ(traits.backward, BackwardPass::kTrusted);
    }
    EXPECT_NE(traits.backward, BackwardPass::kFit) << "which follows from fit_gradient";
    if (traits.fit_gradient) {
      EXPECT_NE(*traits.fit_gradient, FitGradient::kOwn);
    }
    if (traits.ternary_weight_trust > 0) {
      EXPECT_TRUE(traits.has_trust_mask() && traits.accepts(Format::kTernary));
    }
    if (traits.weight_scheme) {
      EXPECT_FALSE(traits.scheme.has_value());
    }
    const bool is_for_activations = traits.is_defined_for(Side::kActivation);
    if (traits.learns_scale()) {
      EXPECT_EQ(traits.activation_granularity.has_value(), is_for_activations);
    }
    if (traits.has_scale_of_token) {
      EXPECT_EQ(traits.activation_granularity, Granularity::kRow);
    }
  }
}

TEST(EstimatorTraitsTest, EachRowIsDefinedForEachOfItsFormats) {
  const std::vector<QuantizerSpec> specs = EverySpec({});  // Ends the program for one that is not.
  std::set<std::string> estimators;
  for (const QuantizerSpec& spec : specs) estimators.insert(spec.estimator);
  EXPECT_EQ(estimators.size(), EveryEstimator().size());
  EXPECT_GT(specs.size(), 350u);
}

TEST(EstimatorTraitsTest, NamesAreListedAsASentenceWants) {
  EXPECT_EQ(EstimatorNames([](const EstimatorTraits& traits) { return traits.has_fit(); }), "ridge or ridge_trust");
  EXPECT_EQ(EstimatorNames([](const EstimatorTraits& traits) { return traits.prunes; }),
            "ridge, ste, quest or ridge_trust");
  EXPECT_EQ(EstimatorNames([](const EstimatorTraits&) { return false; }), "");
}

// "### bitnet_b1, bitnet, bitnet_reloaded"
std::set<std::string> NamesOfSections() {
  std::ifstream docs(RIDGELINE_SOURCE_DIR "/docs/methods.md");
  std::set<std::string> names;
  for (std::string line; std::getline(docs, line);) {
    if (!line.starts_with("### ")) continue;
    std::istringstream heading(line.substr(4));
    for (std::string name; std::getline(heading >> std::ws, name, ',');) names.insert(name);
  }
  return names;
}

TEST(EstimatorTraitsTest, MethodsHasASectionForEachEstimator) {
  const std::set<std::string> names = NamesOfSections();
  for (const EstimatorTraits& traits : EveryEstimator())
    EXPECT_TRUE(names.contains(std::string(traits.name))) << traits.name << " has no section in docs/methods.md";
}

}  // namespace
}  // namespace ridgeline
