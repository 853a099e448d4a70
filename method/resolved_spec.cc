// SPDX-License-Identifier: Apache-2.0
#include "method/resolved_spec.h"

#include <algorithm>

#include "method/estimator_traits.h"

namespace ridgeline {
namespace {

constexpr double kOneBitTrust = 1.30;

// SR-STE moves pruned numbers by what they are.
bool DecaysPruned(const QuantizerSpec& spec) { return spec.sparsity.is_sparse() && spec.mask_decay > 0; }

bool DetachesFit(const QuantizerSpec& spec, const EstimatorTraits* traits) {
  if (spec.fit_gradient != FitGradient::kOwn) return spec.fit_gradient == FitGradient::kDetached;
  return traits == nullptr || traits->fit_gradient.value_or(FitGradient::kDetached) == FitGradient::kDetached;
}

// What gradients of numbers that stay still need not know, those of numbers that decay or come rotated do.
BackwardPass BackwardOf(const QuantizerSpec& spec, const EstimatorTraits* traits) {
  BackwardPass pass = BackwardPass::kPasses;
  if (spec.quantizes()) {
    if (traits == nullptr) return BackwardPass::kOwn;
    if (traits->has_fit() && !DetachesFit(spec, traits)) return BackwardPass::kFit;
    pass = traits->backward;
    if (pass == BackwardPass::kPasses && spec.grid_gradient == GridGradient::kGraph) return BackwardPass::kOwn;
  }
  const bool needs_x = DecaysPruned(spec) || (pass == BackwardPass::kPasses && spec.stays_rotated);
  return needs_x ? BackwardPass::kOwn : pass;
}

}  // namespace

ResolvedSpec Resolve(const QuantizerSpec& spec) { return Resolve(spec, FindEstimatorTraits(spec.estimator)); }

ResolvedSpec Resolve(const QuantizerSpec& spec, const EstimatorTraits* traits) {
  const double own_trust = spec.format == Format::kInt1 ? kOneBitTrust : 0;
  return {.format = spec.format,
          .scheme = spec.scheme,
          .grid = spec.grid,
          .grid_gradient = spec.grid_gradient,
          .granularity = spec.granularity,
          // Steps of a row are taken of what kernels have written (quant/codes).
          .scale_precision =
              spec.scale_precision == ScalePrecision::kInt8 ? ScalePrecision::kFloat16 : spec.scale_precision,
          .backward = BackwardOf(spec, traits),
          .block = spec.block,
          .lambda = spec.lambda,
          .trust = spec.trust > 0 ? spec.trust : own_trust,
          .tensor_max = spec.tensor_max,
          .mask_decay = spec.mask_decay,
          .sparsity = spec.sparsity,
          .is_fit_detached = DetachesFit(spec, traits),
          .hadamard = spec.hadamard,
          .hadamard_signs = spec.hadamard_signs,
          .stays_rotated = spec.stays_rotated,
          .hard_rounding = spec.hard_rounding};
}

bool PassesGradient(const QuantizerSpec& spec) { return Resolve(spec).backward == BackwardPass::kPasses; }
bool PassesTrustedGradient(const QuantizerSpec& spec) { return Resolve(spec).backward == BackwardPass::kTrusted; }
bool PassesFit(const QuantizerSpec& spec) { return Resolve(spec).backward == BackwardPass::kFit; }

bool TreatsRowsAlone(const QuantizerSpec& spec) {
  return spec.granularity != Granularity::kTensor && ScaleEncodingOf(spec.format) != ScaleEncoding::kE4m3;
}

int64_t BlockLength(const ResolvedSpec& spec, int64_t features) {
  if (spec.granularity != Granularity::kBlock) return features;
  int64_t block = spec.block;
  if (spec.sparsity.is_sparse() && block % spec.sparsity.m != 0)
    block = std::max<int64_t>(spec.sparsity.m, block - block % spec.sparsity.m);
  return std::min(block, features);
}

int64_t BlockLength(const QuantizerSpec& spec, int64_t features) { return BlockLength(Resolve(spec), features); }

int64_t BlockCount(const QuantizerSpec& spec, int64_t features) {
  const int64_t block = BlockLength(spec, features);
  return block > 0 ? (features + block - 1) / block : 0;
}

int64_t SavedBytes(const QuantizerSpec& spec, int64_t features, int64_t number_bytes) {
  const ResolvedSpec resolved = Resolve(spec);
  const int64_t block = BlockLength(resolved, features), whole = features / block, rest = features % block;
  if (resolved.backward == BackwardPass::kTrusted) return whole * ((block + 7) / 8) + (rest + 7) / 8;
  if (resolved.backward != BackwardPass::kFit) return 0;
  return (whole + (rest > 0 ? 1 : 0)) * kNumbersOfFit * number_bytes;
}

}  // namespace ridgeline
