// SPDX-License-Identifier: Apache-2.0
// The definition, written as it reads in the paper: f, detached rounding noise, and the dequantization g.
#include "quant/autograd/fake_quantize.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

// A grid for each block; all (rows, 1).
struct TensorGrid {
  at::Tensor scale;
  at::Tensor offset;
  double lowest, highest, shift;
};

// x: (rows, block)
TensorGrid GridOfBlocks(const at::Tensor& x, const QuantizerSpec& spec) {
  const int bits = IntegerBits(spec.format);
  if (spec.scheme == Scheme::kAffine) {
    at::Tensor smallest = std::get<0>(x.min(1, true)), largest = std::get<0>(x.max(1, true));
    double levels = (1 << bits) - 1;
    return {(largest - smallest) / levels, smallest, 0, levels, 0};
  }
  at::Tensor zero = at::zeros({1, 1}, x.options());
  if (spec.format == Format::kInt1 || spec.format == Format::kTernary) return {x.abs().mean(1, true), zero, -1, 1, 0};
  double highest = (1 << (bits - 1)) - 0.5;
  return {std::get<0>(x.abs().max(1, true)) / highest, zero, -highest, highest, 0.5};
}

at::Tensor CodesOf(const at::Tensor& f, const at::Tensor& x, const TensorGrid& grid, const QuantizerSpec& spec) {
  if (spec.scheme == Scheme::kLinear && spec.format == Format::kInt1)
    return at::where(x < 0, at::full_like(x, -1), at::ones_like(x));
  return (at::round(f - grid.shift) + grid.shift).clamp(grid.lowest, grid.highest);
}

// The ridge regression of x on q over each block.
at::Tensor RidgeDequantize(const at::Tensor& x, const at::Tensor& q, const QuantizerSpec& spec) {
  if (spec.scheme == Scheme::kLinear)
    return q * ((q * x).mean(1, true) / (q.square().mean(1, true) + spec.lambda));
  at::Tensor q_centred = q - q.mean(1, true), x_mean = x.mean(1, true);
  at::Tensor covariance = ((x - x_mean) * q_centred).mean(1, true);
  return covariance / (q_centred.square().mean(1, true) + spec.lambda) * q_centred + x_mean;
}

// x: (rows, block) -> (rows, block)
at::Tensor QuantizeBlocks(const at::Tensor& x, const QuantizerSpec& spec) {
  TensorGrid grid = GridOfBlocks(spec.grid_gradient == GridGradient::kGraph ? x : x.detach(), spec);
  at::Tensor f = (x - grid.offset) / grid.scale;
  at::Tensor q = f + (CodesOf(f, x, grid, spec) - f).detach();
  if (spec.estimator == "ridge") return RidgeDequantize(x, q, spec);
  return q * grid.scale + grid.offset;
}

}  // namespace

at::Tensor FakeQuantize_ref(const at::Tensor& x, const QuantizerSpec& spec) {
  if (!spec.enabled()) return x;
  const int64_t features = x.size(-1);
  at::Tensor rows = x.reshape({-1, features});
  std::vector<at::Tensor> parts;
  for (int64_t begin = 0; begin < features; begin += spec.block)
    parts.push_back(QuantizeBlocks(rows.slice(1, begin, std::min(begin + spec.block, features)), spec));
  return at::cat(parts, 1).reshape(x.sizes());
}

}  // namespace ridgeline
