// SPDX-License-Identifier: Apache-2.0
// The definition, written as it reads in the papers: rotation, f, detached rounding noise, and the dequantization g.
#include "method/estimator_traits.h"
#include "method/format.h"
#include "method/hadamard_sign.h"
#include "method/resolved_spec.h"
#include "quant/autograd/fake_quantize.h"
#include "quant/autograd/float_grid_ref.h"
#include "quant/autograd/published_ref.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

// REQUIRES: the spec quantizes, and is valid.
const EstimatorTraits& TraitsOf(const QuantizerSpec& spec) { return *FindEstimatorTraits(spec.estimator); }

// A grid for each block; all (rows, 1).
struct TensorGrid {
  at::Tensor scale;
  at::Tensor offset;
  double lowest, highest, shift;
  FloatGrid_ref floating = {};  // Of formats with elements of their own.
};

// The mean over what is kept of a block whose other numbers are 0.
at::Tensor MeanOfKept(const QuantizerSpec& spec, const at::Tensor& x) {
  return x.mean(1, true) / spec.sparsity.kept_fraction();
}

// 1 for the n largest |x| of each m, of equals for the first. x: (rows, block)
at::Tensor MaskOf(const at::Tensor& x, const SparsityPattern& sparsity) {
  if (!sparsity.is_sparse()) return at::ones_like(x);
  at::Tensor groups = x.detach().abs().reshape({-1, sparsity.m});
  at::Tensor largest = at::argsort(groups, /*stable=*/true, 1, /*descending=*/true).slice(1, 0, sparsity.n);
  return at::zeros_like(groups).scatter(1, largest, 1).reshape(x.sizes());
}

// The outermost levels at GaussianExtent RMS. x: (rows, block)
TensorGrid GaussianGridOfBlocks(const at::Tensor& x, const QuantizerSpec& spec) {
  const bool affine = spec.scheme == Scheme::kAffine;
  at::Tensor mean = affine ? x.mean(1, true) : at::zeros({1, 1}, x.options());
  at::Tensor extent = GaussianExtent(spec.format) * (MeanOfKept(spec, (x - mean).square())).sqrt();
  if (affine) {
    double levels = (1 << IntegerBits(spec.format)) - 1;
    return {2 * extent / levels, mean - extent, 0, levels, 0};
  }
  if (spec.format == Format::kInt1 || spec.format == Format::kTernary) return {extent, mean, -1, 1, 0};
  double highest = (1 << (IntegerBits(spec.format) - 1)) - 0.5;
  return {extent / highest, mean, -highest, highest, 0.5};
}

// x: (rows, block)
TensorGrid GridOfBlocks(const at::Tensor& x, const QuantizerSpec& spec) {
  if (HasOwnElement(spec.format)) {
    const bool by_rms = spec.grid == GridStatistics::kGaussian;  // Which zeros of pruned numbers would make small.
    FloatGrid_ref grid = FloatGridOfBlocks_ref(by_rms ? x / std::sqrt(spec.sparsity.kept_fraction()) : x, spec);
    const double largest = LargestElement(spec.format);
    return {grid.scale, at::zeros({1, 1}, x.options()), -largest, largest, 0, grid};
  }
  if (spec.grid == GridStatistics::kGaussian) return GaussianGridOfBlocks(x, spec);
  const int bits = IntegerBits(spec.format);
  if (spec.scheme == Scheme::kAffine) {
    at::Tensor smallest = std::get<0>(x.min(1, true)), largest = std::get<0>(x.max(1, true));
    double levels = (1 << bits) - 1;
    return {(largest - smallest) / levels, smallest, 0, levels, 0};
  }
  at::Tensor zero = at::zeros({1, 1}, x.options());
  if (spec.format == Format::kInt1 || spec.format == Format::kTernary)
    return {MeanOfKept(spec, x.abs()), zero, -1, 1, 0};
  double highest = (1 << (bits - 1)) - 0.5;
  return {std::get<0>(x.abs().max(1, true)) / highest, zero, -highest, highest, 0.5};
}

at::Tensor CodesOf(const at::Tensor& f, const at::Tensor& x, const TensorGrid& grid, const QuantizerSpec& spec) {
  if (HasOwnElement(spec.format)) return FloatCodes_ref(f, grid.floating, spec);
  if (spec.scheme == Scheme::kLinear && spec.format == Format::kInt1)
    return at::where(x < 0, at::full_like(x, -1), at::ones_like(x));
  return (at::round(f - grid.shift) + grid.shift).clamp(grid.lowest, grid.highest);
}

// x_hat = scale q + offset; both (rows, 1).
struct LevelMap {
  at::Tensor scale, offset;
};

// The ridge regression of x on q over each block.
LevelMap RidgeFit(const at::Tensor& x, const at::Tensor& q, const QuantizerSpec& spec) {
  if (spec.scheme == Scheme::kLinear) {
    const at::Tensor scale = (q * x).mean(1, true) / (q.square().mean(1, true) + spec.lambda);
    return {scale, at::zeros_like(scale)};
  }
  at::Tensor q_mean = q.mean(1, true), q_centred = q - q_mean, x_mean = x.mean(1, true);
  at::Tensor covariance = ((x - x_mean) * q_centred).mean(1, true);
  const at::Tensor scale = covariance / (q_centred.square().mean(1, true) + spec.lambda);
  return {scale, x_mean - scale * q_mean};
}

// Whether plain scales are rounded as files have them.
bool RoundsScales(const QuantizerSpec& spec) {
  return spec.scale_precision != ScalePrecision::kComputed && ScaleEncodingOf(spec.format) == ScaleEncoding::kFloat16;
}

// The nearest float16, of those beyond the largest that.
at::Tensor AsFloat16(const at::Tensor& x) {
  return x.detach().clamp(-kFloat16.largest, kFloat16.largest).to(at::kHalf).to(x.scalar_type());
}

// The gradient is that of the unrounded map.
at::Tensor Decode(const LevelMap& map, const at::Tensor& q, const QuantizerSpec& spec) {
  const at::Tensor x_hat = q * map.scale + map.offset;
  if (!RoundsScales(spec)) return x_hat;
  const double factor = StoredScaleFactor(spec.format);
  const at::Tensor stored = q.detach() * (AsFloat16(map.scale * factor) / factor) + AsFloat16(map.offset);
  return x_hat + (stored - x_hat).detach();
}

// Where x is at most the spec's trust in levels from the centre, or else where the rounding error is at most half a
// step; for clipped signs one level.
at::Tensor TrustedElements(const at::Tensor& f, const at::Tensor& codes, const TensorGrid& grid,
                           const QuantizerSpec& spec) {
  double centre = (grid.lowest + grid.highest) / 2;
  const bool is_clip = TraitsOf(spec).mask == TrustMask::kUnclipped;
  if (is_clip && spec.format == Format::kInt1 && spec.scheme == Scheme::kLinear) return f.abs() <= 1;
  if (const double trust = Resolve(spec).trust; !is_clip && trust > 0)
    return (f - centre).abs() <= trust * (grid.highest - centre);
  if (!HasOwnElement(spec.format)) return (codes - f).abs() <= 0.5;
  const double beyond = FloatElementOf(spec.format).enabled() ? FloatElementOf(spec.format).last_step() / 2 : 0.5;
  if (!IsBitMod(spec.format)) return f.abs() <= grid.highest + beyond;
  const at::Tensor& extra = grid.floating.extra;  // A level on one side, which may be the outermost.
  return (f <= extra.clamp_min(grid.highest) + beyond).logical_and(f >= extra.clamp_max(-grid.highest) - beyond);
}

// The normalised Hadamard matrix: (n, n)
at::Tensor HadamardMatrix(int64_t n, const at::TensorOptions& options) {
  at::Tensor h = at::ones({1, 1}, options);
  for (int64_t size = 1; size < n; size *= 2) h = at::cat({at::cat({h, h}, 1), at::cat({h, -h}, 1)}, 0);
  return h / std::sqrt(static_cast<double>(n));
}

// The signs of a row, (features).
at::Tensor SignsOfRow(int64_t features, const at::TensorOptions& options) {
  std::vector<double> signs;
  for (int64_t i = 0; i < features; ++i) signs.push_back(HadamardSign(i));
  return at::tensor(signs, options);
}

// Pruned codes are trusted where half the distance of two levels covers their error.
at::Tensor TrustedPruned(const at::Tensor& f, const TensorGrid& grid, const QuantizerSpec& spec) {
  if (spec.format == Format::kInt1) return f.abs() <= grid.highest;
  return f.abs() <= (HasOwnElement(spec.format) ? FloatElementOf(spec.format).last_step() / 2 : 0.5);
}

// What a block becomes that has no grid: x_kept, or as files have it, its smallest number (affine) or zero.
at::Tensor WithoutGrid(const at::Tensor& x_kept, const QuantizerSpec& spec) {
  if (spec.scale_precision != ScalePrecision::kFloat16) return x_kept;
  const at::Tensor constant = spec.scheme == Scheme::kAffine ? AsFloat16(std::get<0>(x_kept.min(1, true)))
                                                             : at::zeros({1, 1}, x_kept.options().requires_grad(false));
  return x_kept + (constant - x_kept).detach();
}

// mask: (rows, block), detached. x_kept = mask * x, whose gradient passes to all of x. Each block has a grid.
at::Tensor QuantizeOrdinaryBlocks(const at::Tensor& x, const at::Tensor& mask, const QuantizerSpec& spec) {
  at::Tensor x_kept = x + (mask * x - x).detach();
  TensorGrid grid = GridOfBlocks(spec.grid_gradient == GridGradient::kGraph ? x_kept : x_kept.detach(), spec);
  at::Tensor f_kept = (x_kept - grid.offset) / grid.scale, f = (x.detach() - grid.offset) / grid.scale;
  at::Tensor codes = CodesOf(f_kept, x_kept, grid, spec) * mask, q = f_kept + (codes - f_kept).detach(), straight = x;
  if (TraitsOf(spec).mask != TrustMask::kNone) {
    at::Tensor trusted = at::where(mask > 0, TrustedElements(f, codes, grid, spec), TrustedPruned(f, grid, spec));
    q = at::where(trusted, q, codes.detach());
    straight = at::where(trusted, x, x.detach());
  }
  const at::Tensor moves = straight - straight.detach();
  if (TraitsOf(spec).decoding == Decoding::kGrid) return Decode({grid.scale, grid.offset}, q, spec);
  const at::Tensor x_hat = Decode(RidgeFit(x, q, spec), q, spec);
  return Resolve(spec).is_fit_detached ? x_hat.detach() + moves : x_hat;
}

// Scales beyond these are none (docs/methods.md#blocks-that-are-not-ordinary).
at::Tensor IsScale(const at::Tensor& scale) {
  const bool is_double = scale.scalar_type() == at::kDouble;
  return scale.gt(is_double ? 1e-150 : 1e-30).logical_and(scale.lt(is_double ? 1e150 : 1e30));
}

// Blocks without a grid are computed as a ramp and left out, so that nothing that is not finite reaches a gradient.
at::Tensor QuantizePrunedBlocks(const at::Tensor& x, const at::Tensor& mask, const QuantizerSpec& spec) {
  at::Tensor x_kept = x + (mask * x - x).detach();
  if (!spec.quantizes()) return x_kept;
  const at::Tensor is_finite = x.detach().isfinite().all(1, true);
  const at::Tensor has_grid = IsScale(GridOfBlocks(x_kept.detach(), spec).scale).logical_and(is_finite);
  const at::Tensor nan = at::full({1, 1}, NAN, x.options().requires_grad(false));
  const at::Tensor otherwise = at::where(is_finite, WithoutGrid(x_kept, spec), nan);
  if (x.size(1) == 1 && spec.scheme == Scheme::kAffine) return otherwise;
  const at::Tensor ramp = at::linspace(-1, 1, x.size(1), x.options().requires_grad(false)).unsqueeze(0);
  return at::where(has_grid, QuantizeOrdinaryBlocks(at::where(has_grid, x, ramp), mask, spec), otherwise);
}

at::Tensor QuantizeRotatedBlocks(const at::Tensor& x, const QuantizerSpec& spec) {
  if (spec.quantizes() && !TraitsOf(spec).has_shared_grid()) return QuantizeBlocksAsPublished_ref(x, spec);
  at::Tensor mask = MaskOf(x, spec.sparsity), decaying = x * 1;
  if (spec.mask_decay > 0 && x.requires_grad())
    decaying.register_hook(
        [decay = spec.mask_decay * (1 - mask) * x.detach()](at::Tensor gradient) { return gradient + decay; });
  return QuantizePrunedBlocks(decaying, mask, spec);
}

// x: (rows, block) -> (rows, block)
at::Tensor QuantizeBlocks(const at::Tensor& x, const QuantizerSpec& spec) {
  if (!spec.hadamard) return QuantizeRotatedBlocks(x, spec);
  const at::Tensor h = HadamardMatrix(x.size(1), x.options()), x_hat = QuantizeRotatedBlocks(at::matmul(x, h), spec);
  return spec.stays_rotated ? x_hat : at::matmul(x_hat, h);
}

}  // namespace

at::Tensor FakeQuantize_ref(const at::Tensor& x, const QuantizerSpec& spec) {
  if (!spec.enabled()) return x;
  QuantizerSpec part = spec;
  if (spec.hadamard_signs) {
    part.hadamard_signs = false;
    at::Tensor signs = SignsOfRow(x.size(-1), x.options().requires_grad(false));
    const at::Tensor x_hat = FakeQuantize_ref(x * signs, part);
    return spec.stays_rotated ? x_hat : x_hat * signs;
  }
  at::Tensor rows = spec.granularity == Granularity::kTensor ? x.reshape({1, -1}) : x.reshape({-1, x.size(-1)});
  const int64_t features = rows.size(1);
  if (spec.granularity != Granularity::kBlock || (!spec.quantizes() && !spec.hadamard)) part.block = features;
  const bool has_tensor_scale = spec.quantizes() && ScaleEncodingOf(spec.format) == ScaleEncoding::kE4m3;
  if (spec.hadamard && has_tensor_scale)
    part.tensor_max = at::matmul(x.detach().reshape({-1, spec.block}), HadamardMatrix(spec.block, x.options()))
                          .abs()
                          .max()
                          .item<double>();
  else if (has_tensor_scale)
    part.tensor_max = x.detach().abs().max().item<double>();
  if (features % part.block == 0) return QuantizeBlocks(rows.reshape({-1, part.block}), part).reshape(x.sizes());
  std::vector<at::Tensor> parts;
  for (int64_t begin = 0; begin < features; begin += part.block)
    parts.push_back(QuantizeBlocks(rows.slice(1, begin, std::min(begin + part.block, features)), part));
  return at::cat(parts, 1).reshape(x.sizes());
}

}  // namespace ridgeline
