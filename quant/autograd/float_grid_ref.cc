// SPDX-License-Identifier: Apache-2.0
#include "quant/autograd/float_grid_ref.h"

#include "method/format.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

// The power of two at or below each magnitude, as its exponent.
at::Tensor ExponentOf(const at::Tensor& magnitude) { return std::get<1>(at::frexp(magnitude)) - 1; }

at::Tensor PowerOfTwo(const at::Tensor& exponent, const at::Tensor& like) {
  return at::ldexp(at::ones_like(like), exponent);
}

// The nearest number with so many bits, ties to even. f: any shape; detached.
at::Tensor NearestElement(const at::Tensor& f, const FloatElement& element, double largest) {
  const at::Tensor magnitude = f.detach().abs().clamp_max(largest);
  const at::Tensor exponent = ExponentOf(magnitude).clamp_min(element.smallest_exponent());
  const at::Tensor step = PowerOfTwo(exponent - element.mantissa_bits, magnitude);
  return at::copysign((magnitude / step).round() * step, f.detach()) + 0.0;
}

at::Tensor Extent(const at::Tensor& x, const QuantizerSpec& spec) {
  if (spec.grid == GridStatistics::kGaussian) return GaussianExtent(spec.format) * x.square().mean(1, true).sqrt();
  return std::get<0>(x.abs().max(1, true));
}

// 0 of 0.
at::Tensor PowerOfTwoAtLeast(const at::Tensor& ideal) {
  const at::Tensor below = PowerOfTwo(ExponentOf(ideal.detach()), ideal.detach());
  return at::where(ideal.gt(0), at::where(below.lt(ideal), below * 2, below), at::zeros_like(ideal));
}

at::Tensor E4m3Scale(const at::Tensor& ideal, const QuantizerSpec& spec) {
  double tensor_scale = spec.tensor_max > 0 ? spec.tensor_max / (448 * LargestElement(spec.format)) : 1;
  return NearestElement((ideal / tensor_scale).clamp(0x1p-6, 448), kE4M3, kE4M3.largest) * tensor_scale;
}

// Of the four grids, the one that loses least in each block.
FloatGrid_ref BitModGrid(const at::Tensor& x, const QuantizerSpec& spec) {
  const BitModLevels candidates = BitModLevelsOf(spec.format);
  FloatGrid_ref best;
  at::Tensor least;
  for (double extra : {candidates.nearer, -candidates.nearer, candidates.farther, -candidates.farther}) {
    FloatGrid_ref grid{Extent(x, spec) / std::max(std::abs(extra), LargestElement(spec.format)), {}};
    grid.extra = at::full_like(grid.scale, extra);
    at::Tensor error = (FloatCodes_ref(x / grid.scale, grid, spec) * grid.scale - x).square().sum(1, true);
    if (!best.scale.defined()) best = grid, least = error;
    at::Tensor improves = error < least;
    best = {at::where(improves, grid.scale, best.scale), at::where(improves, grid.extra, best.extra)};
    least = at::where(improves, error, least);
  }
  return best;
}

}  // namespace

FloatGrid_ref FloatGridOfBlocks_ref(const at::Tensor& x, const QuantizerSpec& spec) {
  if (IsBitMod(spec.format)) return BitModGrid(x, spec);
  at::Tensor ideal = Extent(x, spec) / LargestElement(spec.format);
  switch (ScaleEncodingOf(spec.format)) {
    case ScaleEncoding::kFloat16:
      return {ideal, {}};
    case ScaleEncoding::kPowerOfTwo:
      return {PowerOfTwoAtLeast(ideal), {}};
    case ScaleEncoding::kE4m3:
      return {E4m3Scale(ideal, spec), {}};
  }
  return {};
}

at::Tensor FloatCodes_ref(const at::Tensor& f, const FloatGrid_ref& grid, const QuantizerSpec& spec) {
  const double largest = LargestElement(spec.format);
  const FloatElement element = FloatElementOf(spec.format);
  at::Tensor codes =
      element.enabled() ? NearestElement(f, element, largest) : f.detach().round().clamp(-largest, largest);
  if (!grid.extra.defined()) return codes;
  return at::where((f - grid.extra).abs() < (f - codes).abs(), grid.extra.expand_as(codes), codes).detach();
}

}  // namespace ridgeline
