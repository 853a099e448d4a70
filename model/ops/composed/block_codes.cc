// SPDX-License-Identifier: Apache-2.0
#include "model/ops/composed/block_codes.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>

#include "method/estimator_traits.h"
#include "model/ops/composed/block_grids.h"
#include "model/ops/composed/block_sums.h"
#include "model/ops/composed/exact_math.h"
#include "quant/autograd/torch_pch.h"
#include "quant/kernels/learned_scale.h"
#include "quant/kernels/sum_order.h"

namespace ridgeline {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Of each block: (blocks, 1)
at::Tensor AllFinite(const at::Tensor& x) { return (x * 0).eq(0).all(1, /*keepdim=*/true); }

at::Tensor Stored(const at::Tensor& scale, Format format) {
  if (!HasPlainScale(format)) return scale;
  const double factor = StoredScaleFactor(format);
  return RoundedToFloat16(scale * factor) * (1 / factor);  // A power of two.
}

// Blocks without a grid are constant: their smallest number (affine), or zero; NaN where one is not finite.
EncodedBlocks WithoutGridsConstant(const EncodedBlocks& blocks, const at::Tensor& has_grid, const BlockNumbers& numbers,
                                   Format format) {
  const at::Tensor is_finite = AllFinite(numbers.x), has_none = has_grid.bitwise_and(is_finite).bitwise_not();
  const auto nan_unless_finite = [&](const at::Tensor& x) { return x.masked_fill(is_finite.bitwise_not(), kNan); };
  EncodedBlocks encoded{.levels = blocks.levels.masked_fill(has_none, 0),
                        .scale = nan_unless_finite(Stored(blocks.scale, format).masked_fill(has_none, 0))};
  if (!blocks.offset.defined()) return encoded;
  const at::Tensor smallest = numbers.kept.amin({1}, /*keepdim=*/true);
  encoded.offset = nan_unless_finite(RoundedToFloat16(Select(has_none, smallest, blocks.offset)));
  return encoded;
}

// The ridge regression of x onto its codes: the map from codes to x_hat, as SolveRidge of quant/kernels/ridge-inl.h.
EncodedBlocks FittedBlocks(const at::Tensor& q, const at::Tensor& f, const BlockGrids& grids,
                           const QuantizerSpec& spec) {
  const at::Tensor delta = q - f;
  const at::Tensor q_sum = SumOfTerms(q, SumsAtOnce::kFour), q_squared = SumOfProducts(q, q, SumsAtOnce::kFour);
  const at::Tensor delta_q = SumOfProducts(delta, q, SumsAtOnce::kFour);
  const auto count = static_cast<float>(q.size(1));
  const float inverse = 1.0f / count, penalty = count * static_cast<float>(spec.lambda);
  if (spec.scheme == Scheme::kLinear) {
    const at::Tensor denominator = q_squared + penalty, gain = (delta_q + penalty) / denominator * -1 + 1;
    return {q, grids.scale * gain.masked_fill(denominator.gt(0).bitwise_not(), 0), {}};
  }
  const at::Tensor q_mean = q_sum * inverse, delta_mean = SumOfTerms(delta, SumsAtOnce::kFour) * inverse;
  const at::Tensor denominator = FusedMultiplyAdd(-q_mean, q_sum, q_squared) + penalty;
  const at::Tensor lost = FusedMultiplyAdd(-delta_mean, q_sum, delta_q + penalty) / denominator;
  const at::Tensor gain = (lost * -1 + 1).masked_fill(denominator.gt(0).bitwise_not(), 0);
  const at::Tensor base = FusedMultiplyAdd(-gain, q_mean, q_mean - delta_mean);
  return {q, grids.scale * gain, FusedMultiplyAdd(grids.scale, base, grids.offset)};
}

EncodedBlocks OntoSharedGrids(const BlockNumbers& blocks, const QuantizerSpec& spec, const at::Tensor& tensor_scale) {
  const BlockGrids grids = GridsOf(blocks, spec, tensor_scale);
  const at::Tensor f = GridValues(blocks.kept, grids);
  at::Tensor q = NearestLevels(f, spec);
  if (blocks.mask.defined()) q = q.masked_fill(blocks.mask.bitwise_not(), 0);
  const bool has_fit = FindEstimatorTraits(spec.estimator)->decoding == Decoding::kRidge;
  const EncodedBlocks encoded = has_fit ? FittedBlocks(q, f, grids, spec) : EncodedBlocks{q, grids.scale, grids.offset};
  return WithoutGridsConstant(encoded, grids.inverse_scale.ne(0), blocks, spec.format);
}

at::Tensor AtLeastSmallestMeasure(const at::Tensor& measure) { return measure.clamp_min(1e-5f); }

// Levels of a block whose scale is NaN are the lowest.
EncodedBlocks OntoBitnetScale(const at::Tensor& x, const at::Tensor& measure, const QuantizerSpec& spec) {
  const bool is_int8 = spec.format == Format::kInt8;
  const double lowest = is_int8 ? -128 : -1, highest = is_int8 ? 127 : 1;
  const at::Tensor scale = measure.masked_fill(AllFinite(x).bitwise_not(), kNan);
  const at::Tensor levels = RoundedBetween(x * (at::ones_like(scale) / scale), lowest, highest);
  return {levels.masked_fill(levels.ne(levels), lowest), Stored(scale, spec.format), {}};
}

EncodedBlocks OntoInt8Scale(const at::Tensor& x, double divisor, const QuantizerSpec& spec) {
  return OntoBitnetScale(x, Divided(AtLeastSmallestMeasure(LargestSize(x)), divisor), spec);
}

EncodedBlocks ByBitnet(const BlockNumbers& blocks, const QuantizerSpec& spec) {
  const at::Tensor& x = blocks.x;
  if (spec.format == Format::kInt8) return OntoInt8Scale(x, 127, spec);
  const at::Tensor mean = Divided(SumOfTerms(SizesOf(x), SumsAtOnce::kOne), static_cast<double>(x.size(1)));
  return OntoBitnetScale(x, AtLeastSmallestMeasure(mean), spec);
}

// The median of an even count is the lower of the two in the middle.
EncodedBlocks ByBitnetReloaded(const BlockNumbers& blocks, const QuantizerSpec& spec) {
  const at::Tensor& x = blocks.x;
  if (spec.format == Format::kInt8) return OntoInt8Scale(x, 128, spec);
  const at::Tensor median = std::get<0>(SizesOf(x).sort(1)).narrow(1, (x.size(1) - 1) / 2, 1);
  return OntoBitnetScale(x, AtLeastSmallestMeasure(median), spec);
}

EncodedBlocks ByBitnetB1(const BlockNumbers& blocks, const QuantizerSpec& spec) {
  const at::Tensor& x = blocks.x;
  if (spec.format == Format::kInt8) return ByBitnet(blocks, spec);
  const float inverse = 1.0f / static_cast<float>(x.size(1));
  const at::Tensor mean = SumOfTerms(x, SumsAtOnce::kTwo) * inverse;
  const at::Tensor scale = SumOfTerms(SizesOf(x), SumsAtOnce::kTwo) * inverse;
  return {
      x.lt(mean).to(at::kFloat) * -2 + 1, Stored(scale.masked_fill(AllFinite(x).bitwise_not(), kNan), spec.format), {}};
}

EncodedBlocks ByBiAdapter(const BlockNumbers& blocks, const QuantizerSpec& spec) {
  constexpr double kMedianOfHalfNormal = 0.6744897501960817;
  const at::Tensor& x = blocks.x;
  const int64_t n = x.size(1);
  const BlockMoments moments = MomentsAbout(/*centred=*/true, x, n);
  const float unbiased = n < 2 ? 0 : std::sqrt(static_cast<float>(n) / (static_cast<float>(n) - 1));
  const at::Tensor has_extent = moments.rms.gt(1e-30f).bitwise_and(moments.rms.lt(INFINITY));
  const at::Tensor deviation = (moments.rms * unbiased).masked_fill(has_extent.bitwise_not(), 0);
  const EncodedBlocks encoded{x.lt(moments.mean).to(at::kFloat) * -2 + 1,
                              deviation * static_cast<float>(kMedianOfHalfNormal), moments.mean};
  return WithoutGridsConstant(encoded, deviation.ne(0), blocks, spec.format);
}

// To the grid that torchao's zero point makes.
EncodedBlocks ByTorchao(const BlockNumbers& blocks, const QuantizerSpec& spec) {
  const at::Tensor& x = blocks.x;
  const double lowest = -(1 << (IntegerBits(spec.format) - 1)), highest = -lowest - 1, steps = highest - lowest;
  if (spec.scheme == Scheme::kLinear) {
    const at::Tensor scale = Divided(LargestSize(x), steps / 2).clamp_min(std::numeric_limits<float>::min());
    const at::Tensor levels = RoundedBetween(x * (at::ones_like(scale) / scale), lowest, highest);
    return WithoutGridsConstant({levels, scale, {}}, scale.gt(0), blocks, spec.format);
  }
  const at::Tensor smallest = x.amin({1}, /*keepdim=*/true).clamp_max(0),
                   largest = x.amax({1}, /*keepdim=*/true).clamp_min(0);
  const at::Tensor scale = Divided(largest - smallest, steps).clamp_min(0x1p-23);
  const at::Tensor inverse = at::ones_like(scale) / scale;
  const at::Tensor zero = ((smallest / scale).round() * -1 + lowest).clamp(lowest, highest);
  const at::Tensor levels = ((x * inverse).round() + zero).clamp(lowest, highest);
  return WithoutGridsConstant({levels, scale, zero * -1 * scale}, inverse.ne(0), blocks, spec.format);
}

EncodedBlocks ByGaussWs(const BlockNumbers& blocks, const QuantizerSpec& spec) {
  const double half = 1 << (IntegerBits(spec.format) - 1);
  const at::Tensor step = Divided(LargestSize(blocks.x), half), inverse = InverseOrZero(step);
  return WithoutGridsConstant({RoundedBetween(blocks.x * inverse, -half, half - 1), step, {}}, inverse.ne(0), blocks,
                              spec.format);
}

EncodedBlocks ByDiffq(const BlockNumbers& blocks, const QuantizerSpec& spec) {
  const BlockGrids grids = AffineGridsOf(blocks.x, IntegerBits(spec.format));
  return WithoutGridsConstant({NearestLevels(GridValues(blocks.x, grids), spec), grids.scale, grids.offset},
                              grids.inverse_scale.ne(0), blocks, spec.format);
}

// Estimators that bring a grid of their own; noise rounds.
struct OwnGrid {
  EncodedBlocks (*encode)(const BlockNumbers& blocks, const QuantizerSpec& spec);
  bool (*has_sums)(Format format);
};

const std::map<std::string, OwnGrid, std::less<>>& OwnGrids() {
  const auto never = [](Format) { return false; };
  const auto unless_int8 = [](Format format) { return format != Format::kInt8; };
  static const std::map<std::string, OwnGrid, std::less<>> grids = {
      {"bitnet_b1", {ByBitnetB1, unless_int8}},
      {"bitnet", {ByBitnet, unless_int8}},
      {"bitnet_reloaded", {ByBitnetReloaded, never}},
      {"torchao", {ByTorchao, never}},
      {"bi_adapter", {ByBiAdapter, [](Format) { return true; }}},
      {"gaussws", {ByGaussWs, never}},
      {"diffq", {ByDiffq, never}}};
  return grids;
}

// Whether statistics are rounded sums.
bool HasSums(const QuantizerSpec& spec, const EstimatorTraits& traits) {
  if (traits.learns_scale()) return false;
  if (!traits.has_shared_grid()) return OwnGrids().at(spec.estimator).has_sums(spec.format);
  const bool is_mean = spec.format == Format::kInt1 || spec.format == Format::kTernary;
  return traits.decoding == Decoding::kRidge || spec.grid == GridStatistics::kGaussian ||
         (is_mean && spec.scheme == Scheme::kLinear);
}

at::Tensor StretchedLevels(const at::Tensor& f, const LearnedLevels& levels) {
  constexpr float kReach = 0.99;
  const at::Tensor stretched = f.clamp(-kReach, kReach) * static_cast<float>(levels.n);
  return ((stretched - levels.shift).round() + levels.shift) * static_cast<float>(1 / levels.n);
}

// Powers of two, and between them those times the root of a half: |f| is nearest to the level whose two midpoints
// enclose it.
at::Tensor PowersOfRootTwo(const at::Tensor& f, const LearnedLevels& levels) {
  const auto smallest = static_cast<float>(std::exp2((1 - levels.highest) / 2));
  const at::Tensor size = SizesOf(f).clamp_max(1), below_size = PowerOfTwoBelow(size);
  const at::Tensor above = (below_size + below_size).clamp_max(1), below = above * 0.5;
  const at::Tensor middle = above * static_cast<float>(0.70710678118654752);
  const at::Tensor lower = Select(size.ge((middle + below) * 0.5), middle, below);
  const at::Tensor nearest = Select(size.ge((above + middle) * 0.5), above, lower).clamp_min(smallest);
  const at::Tensor level = nearest.masked_fill(size.lt(smallest / 2), 0);
  return Select(f.lt(0), -level, level);
}

at::Tensor LevelsOfLearnedScale(const at::Tensor& f, const LearnedLevels& levels) {
  switch (levels.kind) {
    case LevelKind::kUniform:
      return RoundedBetween(f, levels.lowest, levels.highest);
    case LevelKind::kSign:
      return f.lt(0).to(at::kFloat) * -2 + 1;
    case LevelKind::kStretched:
      return StretchedLevels(f, levels);
    case LevelKind::kPowersOfRootTwo:
      return PowersOfRootTwo(f, levels);
  }
  __builtin_unreachable();
}

}  // namespace

bool CodesAreMadeOnDevice(const QuantizerSpec& spec) {
  const EstimatorTraits* traits = FindEstimatorTraits(spec.estimator);
  if (traits == nullptr || IsBitMod(spec.format)) return false;
  if (!traits->has_shared_grid() && !traits->learns_scale() && !OwnGrids().contains(spec.estimator)) return false;
  return !HasSums(spec, *traits) || (spec.granularity != Granularity::kTensor && LanesOfSums() > 0);
}

EncodedBlocks EncodedBlocksOf(const at::Tensor& x, const QuantizerSpec& spec, const at::Tensor& tensor_scale) {
  const BlockNumbers blocks = BlockNumbersOf(x, spec);
  const auto own = OwnGrids().find(spec.estimator);
  return own == OwnGrids().end() ? OntoSharedGrids(blocks, spec, tensor_scale) : own->second.encode(blocks, spec);
}

EncodedBlocks EncodedByLearnedScale(const at::Tensor& x, const at::Tensor& scale, const QuantizerSpec& spec) {
  const at::Tensor stored = RoundedToFloat16(scale.clamp_min(static_cast<float>(kSmallestLearnedScale)));
  const at::Tensor is_nan = AllFinite(x).bitwise_and(stored.eq(stored)).bitwise_not();
  const LearnedLevels levels = FindEstimatorTraits(spec.estimator)->learned_levels(spec.format);
  const at::Tensor of_rows = LevelsOfLearnedScale(x * (at::ones_like(stored) / stored), levels).masked_fill(is_nan, 0);
  const at::Tensor has_nan = stored.size(0) == 1 ? is_nan.any(0, /*keepdim=*/true) : is_nan;
  return {of_rows, stored.masked_fill(has_nan, kNan), {}};
}

}  // namespace ridgeline
