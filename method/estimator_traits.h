// SPDX-License-Identifier: Apache-2.0
// Estimators: what each is defined for, what recipes fill in where they do not say, and how gradients pass it. One
// table, method/estimator_rows.inc, which recipes, plan/, model/, the kernels and the tests read.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "method/backward_pass.h"
#include "method/format.h"
#include "method/learned_levels.h"
#include "method/quantizer_spec.h"

namespace ridgeline {

// Which of a product's operands a tensor is.
enum class Side { kWeight, kActivation };
std::string_view SideName(Side side);

// What a block's codes stand for.
//   kGrid     scale q + offset, with the scale and offset of the block's grid
//   kRidge    a ridge regression of x onto its codes on that grid
//   kOwn      levels and statistics of the estimator's own
//   kLearned  a trained scale times the levels of EstimatorTraits::learned_levels
enum class Decoding { kGrid, kRidge, kOwn, kLearned };

// Where gradients pass an estimator of the shared grids: everywhere, where the grid can be trusted (as far as
// QuantizerSpec::trust says), or where rounding alone, without a clamp, leads to the code.
enum class TrustMask { kNone, kTrusted, kUnclipped };

// Which levels the codes of an estimator stand for, where the format does not say.
//   kGrid    those of the shared grids (docs/methods.md#terms)
//   kSigned  integers -2^(B-1) .. 2^(B-1) - 1, and for one bit signs, in both schemes
enum class CodeLevels { kGrid, kSigned };

// An empty optional leaves the choice open.
struct EstimatorTraits {
  std::string_view name;
  bool (*accepts)(Format);
  std::string_view formats;  // In words, for a remedy: "use ...".
  std::optional<Scheme> scheme = {};
  std::optional<GridStatistics> grid = {};
  std::optional<GridGradient> grid_gradient = {};
  std::optional<Side> only = {};  // Defined for one side alone.
  // What recipes fill in.
  std::optional<Scheme> weight_scheme = {};
  std::optional<Granularity> weight_granularity = {};
  std::optional<Granularity> activation_granularity = {};  // A learned scale of activations has no other.
  double ternary_weight_trust = 0;                         // 0: the estimator's own.
  Decoding decoding = Decoding::kOwn;
  TrustMask mask = TrustMask::kNone;
  BackwardPass backward = BackwardPass::kOwn;    // With a detached grid and, where there is one, a detached fit.
  std::optional<FitGradient> fit_gradient = {};  // Its own, of an estimator with a regression.
  bool prunes = false;                           // Whether a pruned number has a code of its own that is zero.
  bool adds_noise = false;
  CodeLevels codes = CodeLevels::kGrid;
  LearnedLevels (*learned_levels)(Format) = nullptr;  // REQUIRES: accepts(format).
  bool has_scale_of_token = false;                    // A network makes a scale for each token.
  bool counts_matrix = false;  // Learned scales: the gradient's factor counts the whole matrix, not a scale's numbers.

  bool has_fit() const { return fit_gradient.has_value(); }
  bool has_trust_mask() const { return mask == TrustMask::kTrusted; }
  bool learns_scale() const { return learned_levels != nullptr; }
  // The shared grids have kernels for GPUs and references in plain operations of their own; others need them.
  bool has_shared_grid() const { return decoding == Decoding::kGrid || decoding == Decoding::kRidge; }
  bool is_defined_for(Side side) const { return only.value_or(side) == side; }
};

// All rows, in the order that recipes list them; none is not one of them.
std::span<const EstimatorTraits> EveryEstimator();

// Null if there is no row of that name, as for none.
const EstimatorTraits* FindEstimatorTraits(std::string_view name);

// "quest or ridge_trust": the names of those that `includes`.
std::string EstimatorNames(bool (*includes)(const EstimatorTraits&));

// What a format without an estimator means.
inline constexpr std::string_view kDefaultEstimator = "ridge_trust";

}  // namespace ridgeline
