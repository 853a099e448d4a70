// SPDX-License-Identifier: Apache-2.0
#include "model/ops/composed/block_grids.h"

#include <vector>

#include "method/format.h"
#include "model/ops/composed/block_sums.h"
#include "model/ops/composed/exact_math.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

double AffineHighest(Format format) { return (1 << IntegerBits(format)) - 1; }

// The outermost level of a linear grid.
double LinearHighest(Format format) {
  if (format == Format::kInt1 || format == Format::kTernary) return 1;
  if (HasOwnElement(format)) return LargestElement(format);
  return (1 << (IntegerBits(format) - 1)) - 0.5;
}

// True for the n largest |x| of each m, of equals for the first: a number's rank is how many of its group come before
// it. x: (blocks, block)
at::Tensor MaskOf(const at::Tensor& x, const SparsityPattern& sparsity) {
  const int m = sparsity.m;
  const at::Tensor sizes = SizesOf(x).reshape({-1, m});
  at::Tensor rank = at::zeros_like(sizes);
  for (int i = 0; i < m; ++i) {
    const at::Tensor size = sizes.narrow(1, i, 1);
    rank.narrow(1, 0, i).add_(size.gt(sizes.narrow(1, 0, i)));
    rank.narrow(1, i + 1, m - i - 1).add_(size.ge(sizes.narrow(1, i + 1, m - i - 1)));
  }
  return rank.lt(sparsity.n).view(x.sizes());
}

BlockGrids WithScale(const at::Tensor& scale, const at::Tensor& offset = {}) {
  return {scale, InverseOrZero(scale), offset};
}

BlockMoments MomentsOf(const BlockNumbers& blocks, const QuantizerSpec& spec) {
  const bool centred = spec.scheme == Scheme::kAffine;
  if (blocks.unrotated.defined() && !blocks.mask.defined())
    return MomentsOfRotated(centred, blocks.unrotated, blocks.x);
  return MomentsAbout(centred, blocks.kept, blocks.kept_count);
}

at::Tensor GaussianExtentOf(const BlockMoments& moments, Format format) {
  return moments.rms * static_cast<float>(GaussianExtent(format));
}

BlockGrids GaussianGridsOf(const BlockNumbers& blocks, const QuantizerSpec& spec) {
  const BlockMoments moments = MomentsOf(blocks, spec);
  const at::Tensor extent = GaussianExtentOf(moments, spec.format);
  if (spec.scheme == Scheme::kAffine)
    return WithScale(extent * (2.0f / static_cast<float>(AffineHighest(spec.format))), moments.mean - extent);
  return WithScale(extent * (1.0f / static_cast<float>(LinearHighest(spec.format))));
}

// 2^ceil(log2 x), at least 2^-126 and at most 2^127.
at::Tensor PowerOfTwoAtLeast(const at::Tensor& x) {
  const at::Tensor below = PowerOfTwoBelow(x), power = Select(below.eq(x), below, below + below);
  return power.clamp(0x1p-126, 0x1p127);
}

at::Tensor EncodedScale(const at::Tensor& ideal, Format format, const at::Tensor& tensor_scale) {
  switch (ScaleEncodingOf(format)) {
    case ScaleEncoding::kFloat16:
      return ideal;
    case ScaleEncoding::kPowerOfTwo:
      return PowerOfTwoAtLeast(ideal).masked_fill(ideal.gt(0).bitwise_not(), 0);
    case ScaleEncoding::kE4m3: {
      const at::Tensor share = (ideal / tensor_scale).clamp(0x1p-6, kE4M3.largest);
      return (RoundedToElement(kE4M3, share) * tensor_scale).masked_fill(ideal.gt(0).bitwise_not(), 0);
    }
  }
  __builtin_unreachable();
}

// Of formats with elements of their own.
BlockGrids ElementGridsOf(const BlockNumbers& blocks, const QuantizerSpec& spec, const at::Tensor& tensor_scale) {
  const at::Tensor extent = spec.grid == GridStatistics::kGaussian
                                ? GaussianExtentOf(MomentsOf(blocks, spec), spec.format)
                                : LargestSize(blocks.kept);
  return WithScale(EncodedScale(Divided(extent, LargestElement(spec.format)), spec.format, tensor_scale));
}

BlockGrids LinearGridsOf(const BlockNumbers& blocks, const QuantizerSpec& spec) {
  if (spec.format == Format::kInt1 || spec.format == Format::kTernary)
    return WithScale(
        Divided(SumOfTerms(SizesOf(blocks.kept), SumsAtOnce::kOne), static_cast<double>(blocks.kept_count)));
  return WithScale(Divided(LargestSize(blocks.kept), LinearHighest(spec.format)));
}

// Half-integers of linear grids of integers above one bit.
double ShiftOf(const QuantizerSpec& spec) {
  return spec.scheme == Scheme::kLinear && spec.format != Format::kTernary && !HasOwnElement(spec.format) ? 0.5 : 0;
}

at::Tensor NearestOfElement(const at::Tensor& f, Format format) {
  const at::Tensor size = RoundedToElement(FloatElementOf(format), SizesOf(f).clamp_max(LargestElement(format)));
  return Select(f.lt(0), -size, size);
}

}  // namespace

BlockNumbers BlockNumbersOf(const at::Tensor& x, const QuantizerSpec& spec) {
  BlockNumbers blocks{.x = x, .kept_count = x.size(1)};
  if (spec.hadamard) {
    blocks.unrotated = x;
    blocks.x = HadamardOfRows(x);
  }
  blocks.kept = blocks.x;
  if (!spec.sparsity.is_sparse()) return blocks;
  blocks.mask = MaskOf(blocks.x, spec.sparsity);
  blocks.kept = blocks.x.masked_fill(blocks.mask.bitwise_not(), 0);
  blocks.kept_count = x.size(1) / spec.sparsity.m * spec.sparsity.n;
  return blocks;
}

at::Tensor LargestSize(const at::Tensor& x) { return SizesOf(x).amax({1}, /*keepdim=*/true); }

BlockGrids AffineGridsOf(const at::Tensor& x, int bits) {
  const at::Tensor smallest = x.amin({1}, /*keepdim=*/true), largest = x.amax({1}, /*keepdim=*/true);
  return WithScale(Divided(largest - smallest, (1 << bits) - 1), smallest);
}

BlockGrids GridsOf(const BlockNumbers& blocks, const QuantizerSpec& spec, const at::Tensor& tensor_scale) {
  if (HasOwnElement(spec.format)) return ElementGridsOf(blocks, spec, tensor_scale);
  if (spec.grid == GridStatistics::kGaussian) return GaussianGridsOf(blocks, spec);
  if (spec.scheme == Scheme::kAffine) return AffineGridsOf(blocks.kept, IntegerBits(spec.format));
  return LinearGridsOf(blocks, spec);
}

at::Tensor GridValues(const at::Tensor& x, const BlockGrids& grids) {
  if (!grids.offset.defined()) return x * grids.inverse_scale;
  return FusedMultiplyAdd(x, grids.inverse_scale, -grids.offset * grids.inverse_scale);
}

at::Tensor NearestLevels(const at::Tensor& f, const QuantizerSpec& spec) {
  if (FloatElementOf(spec.format).enabled()) return NearestOfElement(f, spec.format);
  if (spec.scheme == Scheme::kAffine) return RoundedBetween(f, 0, AffineHighest(spec.format));
  if (spec.format == Format::kInt1) return f.lt(0).to(at::kFloat) * -2 + 1;
  const double highest = LinearHighest(spec.format), shift = ShiftOf(spec);
  return RoundedBetween(f - shift, -highest - shift, highest - shift) + shift;
}

at::Tensor RoundedBetween(const at::Tensor& x, double lowest, double highest) {
  return x.round().clamp(lowest, highest);
}

}  // namespace ridgeline
