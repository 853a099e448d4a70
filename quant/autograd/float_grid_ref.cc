// SPDX-License-Identifier: Apache-2.0
#include "quant/autograd/float_grid_ref.h"

#include "method/format.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

at::Tensor NearestOf(const at::Tensor& f, const std::vector<double>& levels) {
  at::Tensor table = at::tensor(levels, f.options().requires_grad(false));
  return table.index_select(0, (f.detach().unsqueeze(-1) - table).abs().argmin(-1).reshape(-1)).reshape(f.sizes());
}

at::Tensor Extent(const at::Tensor& x, const QuantizerSpec& spec) {
  if (spec.grid == GridStatistics::kGaussian) return GaussianExtent(spec.format) * x.square().mean(1, true).sqrt();
  return std::get<0>(x.abs().max(1, true));
}

at::Tensor E4m3Scale(const at::Tensor& ideal, const QuantizerSpec& spec) {
  double tensor_scale = spec.tensor_max > 0 ? spec.tensor_max / (448 * LargestElement(spec.format)) : 1;
  return NearestOf((ideal / tensor_scale).clamp(0x1p-6, 448), LevelsOf(Format::kFp8E4M3)) * tensor_scale;
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
      return {at::exp2(at::ceil(at::log2(ideal))), {}};
    case ScaleEncoding::kE4m3:
      return {E4m3Scale(ideal, spec), {}};
  }
  return {};
}

at::Tensor FloatCodes_ref(const at::Tensor& f, const FloatGrid_ref& grid, const QuantizerSpec& spec) {
  at::Tensor codes = NearestOf(f, LevelsOf(spec.format));
  if (!grid.extra.defined()) return codes;
  return at::where((f - grid.extra).abs() < (f - codes).abs(), grid.extra.expand_as(codes), codes).detach();
}

}  // namespace ridgeline
