// SPDX-License-Identifier: Apache-2.0
#include "quant/cuda/params_of_spec.h"

#include <cmath>

#include "fmt/format.h"
#include "method/estimator_traits.h"
#include "method/format.h"
#include "method/problems.h"
#include "method/resolved_spec.h"
#include "quant/cuda/lane_layout.h"

namespace ridgeline::cuda {
namespace {

// Of the shared grids: by what codes stand for, and by who is trusted. REQUIRES: no regression under a clip.
BlockEstimator BlockEstimatorOf(const EstimatorTraits& traits) {
  const bool is_trusted = traits.mask == TrustMask::kTrusted;
  if (traits.decoding == Decoding::kRidge) return is_trusted ? BlockEstimator::kRidgeTrust : BlockEstimator::kRidge;
  if (traits.mask == TrustMask::kUnclipped) return BlockEstimator::kSteClip;
  return is_trusted ? BlockEstimator::kQuest : BlockEstimator::kSte;
}

absl::StatusOr<BlockEstimator> FindBlockEstimator(const QuantizerSpec& spec) {
  if (!spec.quantizes()) return BlockEstimator::kPrune;
  const EstimatorTraits& traits = *FindEstimatorTraits(spec.estimator);
  if (traits.has_shared_grid()) return BlockEstimatorOf(traits);
  return absl::UnimplementedError(
      fmt::format("estimator {} has no CUDA kernel: use {}, or the CPU's kernels", spec.estimator,
                  EstimatorNames([](const EstimatorTraits& row) { return row.has_shared_grid(); })));
}

absl::Status CheckReach(const QuantizerSpec& spec) {
  const bool has_blocks = spec.quantizes() || spec.hadamard;
  if (has_blocks && spec.granularity != Granularity::kBlock)
    return absl::UnimplementedError(fmt::format("grids of granularity {} have no CUDA kernel: use granularity block",
                                                GranularityName(spec.granularity)));
  if (has_blocks && spec.block > kLargestBlock)
    return absl::UnimplementedError(
        fmt::format("block is {}: CUDA kernels hold a block in one warp, use at most {}", spec.block, kLargestBlock));
  const int m = spec.sparsity.m;
  if (spec.sparsity.is_sparse() && (m & (m - 1)) != 0)
    return absl::UnimplementedError(fmt::format("sparsity {}:{} has no CUDA kernel: use groups of 2, 4, 8, 16 or 32",
                                                spec.sparsity.n, spec.sparsity.m));
  return absl::OkStatus();
}

FloatLevels LevelsOfElement(const FloatElement& element) {
  if (!element.enabled()) return {};
  return {FloatOf(static_cast<uint32_t>(127 + element.smallest_exponent()) << 23),
          1.5f * static_cast<float>(1 << (23 - element.mantissa_bits))};
}

CodeLevels ElementLevels(Format format) {
  const FloatElement element = FloatElementOf(format);
  const auto highest = static_cast<float>(LargestElement(format));
  CodeLevels levels{.lowest = -highest, .highest = highest, .elements = LevelsOfElement(element)};
  if (element.enabled()) levels.half_last_step = static_cast<float>(element.last_step() / 2);
  if (!IsBitMod(format)) return levels;
  levels.bitmod_nearer = static_cast<float>(BitModLevelsOf(format).nearer);
  levels.bitmod_farther = static_cast<float>(BitModLevelsOf(format).farther);
  return levels;
}

CodeLevels LevelsOf(const QuantizerSpec& spec) {
  if (HasOwnElement(spec.format)) return ElementLevels(spec.format);
  const auto steps = static_cast<float>((1 << IntegerBits(spec.format)) - 1);
  if (spec.scheme == Scheme::kAffine) return {.highest = steps};
  if (spec.format == Format::kInt1 || spec.format == Format::kTernary)
    return {.lowest = -1, .highest = 1, .is_sign = spec.format == Format::kInt1};
  return {.lowest = -steps / 2, .highest = steps / 2, .shift = 0.5f};
}

StoredScale StoredScaleOf(const QuantizerSpec& spec) {
  const ScaleEncoding encoding = ScaleEncodingOf(spec.format);
  if (encoding == ScaleEncoding::kPowerOfTwo) return {.is_power_of_two = true};
  if (encoding == ScaleEncoding::kFloat16) {
    if (spec.scale_precision == ScalePrecision::kComputed) return {};
    return {.float16 = LevelsOfElement(kFloat16), .factor = static_cast<float>(StoredScaleFactor(spec.format))};
  }
  const auto largest = static_cast<float>(LargestElement(spec.format)), share = static_cast<float>(kE4M3.largest);
  const float tensor_scale = spec.tensor_max > 0 ? static_cast<float>(spec.tensor_max) / (share * largest) : 1.0f;
  return {.e4m3 = LevelsOfElement(kE4M3), .largest_share = share, .tensor_scale = tensor_scale};
}

GridRule RuleOf(const QuantizerSpec& spec) {
  if (spec.grid == GridStatistics::kGaussian) return GridRule::kGaussian;
  if (spec.scheme == Scheme::kAffine) return GridRule::kMinMax;
  const bool is_mean = spec.format == Format::kInt1 || spec.format == Format::kTernary;
  return is_mean ? GridRule::kMeanAbs : GridRule::kMaxAbs;
}

TrustedRange TrustedRangeOf(const QuantizerSpec& spec, const CodeLevels& levels) {
  const float centre = (levels.highest + levels.lowest) / 2, reach = (levels.highest - levels.lowest) / 2;
  const double trust = Resolve(spec).trust;
  const float trusted = trust > 0 ? static_cast<float>(trust) * reach : reach + levels.half_last_step;
  return {centre - trusted, centre + trusted, spec.format == Format::kInt1 ? reach : levels.half_last_step};
}

void SetGrid(const QuantizerSpec& spec, BlockParams* params) {
  params->rule = RuleOf(spec);
  params->is_affine = spec.scheme == Scheme::kAffine;
  params->is_grid_in_graph = spec.grid_gradient == GridGradient::kGraph;
  params->is_fit_detached = Resolve(spec).is_fit_detached;
  params->gaussian_extent = static_cast<float>(GaussianExtent(spec.format));
  params->lambda = static_cast<float>(spec.lambda);
  params->levels = LevelsOf(spec);
  params->stores_scales = spec.scale_precision == ScalePrecision::kFloat16;
  params->stored_scale = StoredScaleOf(spec);
  params->trusted = TrustedRangeOf(spec, params->levels);
}

}  // namespace

absl::StatusOr<BlockParams> ParamsOfSpec(const QuantizerSpec& spec) {
  if (absl::Status valid = ValidateQuantizerSpec(spec); !valid.ok()) return valid;
  absl::StatusOr<BlockEstimator> estimator = FindBlockEstimator(spec);
  if (!estimator.ok()) return estimator.status();
  if (absl::Status reach = CheckReach(spec); !reach.ok()) return reach;
  BlockParams params{.estimator = *estimator, .hadamard = spec.hadamard};
  params.has_signs = spec.hadamard_signs;
  params.stays_rotated = spec.stays_rotated;
  params.rotation_factor = static_cast<float>(1 / std::sqrt(static_cast<double>(spec.block)));
  // Numbers that are only pruned share no grid: any whole groups are a block.
  params.block = spec.quantizes() || spec.hadamard ? static_cast<int>(spec.block) : 128;
  if (spec.quantizes()) SetGrid(spec, &params);
  if (!spec.sparsity.is_sparse()) return params;
  params.keep = spec.sparsity.n;
  params.group = spec.sparsity.m;
  params.mask_decay = static_cast<float>(spec.mask_decay);
  return params;
}

}  // namespace ridgeline::cuda
