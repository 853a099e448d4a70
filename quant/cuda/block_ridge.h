// SPDX-License-Identifier: Apache-2.0
// The ridge regression of a block onto its codes, and its gradient (arXiv 2409.09245): quant/kernels/ridge-inl.h for
// lanes, with the same sums over q and delta = q - f, whose means do not hide a small spread.
#pragma once

#include "quant/cuda/block_grid_gradient.h"

namespace ridgeline::cuda {

// x_hat = offset + scale (gain (q - q_mean) + f_mean); the means are 0 in the linear scheme, whose offset is 0.
template <class Lanes>
struct Regression {
  typename Lanes::Numbers q;  // Codes
  float gain;                 // Cov(f, q) / (Var q + lambda), or mean(f q) / (mean(q^2) + lambda)
  float inverse;              // 1 / (n (Var q + lambda)); 0 where that is 0.
  float q_sum;
  float q_mean;
  float f_mean;
};

template <class Lanes>
RIDGELINE_HOST_DEVICE Regression<Lanes> FitRidge(const BlockParams& params, const Lanes& lanes, const BlockGrid& grid,
                                                 const Block<Lanes>& block) {
  const auto q = Codes(params, grid, block);
  const auto delta = NumbersOf<Lanes>([&](int slot) { return q[slot] - GridValue(grid, block.Kept(slot)); });
  const float q_sum = Sum(lanes, [&](float sum, int slot) { return sum + q[slot]; });
  const float q_squared = Sum(lanes, [&](float sum, int slot) { return MulAdd(q[slot], q[slot], sum); });
  const float delta_sum = Sum(lanes, [&](float sum, int slot) { return sum + delta[slot]; });
  const float delta_q = Sum(lanes, [&](float sum, int slot) { return MulAdd(delta[slot], q[slot], sum); });
  const float count = static_cast<float>(lanes.n());
  const float q_mean = params.is_affine ? q_sum / count : 0.0f;
  const float delta_mean = params.is_affine ? delta_sum / count : 0.0f;
  Regression<Lanes> fit{q, 0.0f, 0.0f, q_sum, q_mean, q_mean - delta_mean};
  const float penalty = count * params.lambda, denominator = q_squared - q_mean * q_sum + penalty;
  if (!(denominator > 0.0f)) return fit;
  fit.gain = 1.0f - (penalty + delta_q - delta_mean * q_sum) / denominator;
  fit.inverse = 1.0f / denominator;
  return fit;
}

template <class Lanes>
RIDGELINE_HOST_DEVICE typename Lanes::Numbers DecodeRidge(const BlockParams& params, const Lanes& lanes,
                                                          const BlockGrid& grid, const Block<Lanes>& block) {
  const Regression<Lanes> fit = FitRidge(params, lanes, grid, block);
  const float slope = grid.scale * fit.gain, base = grid.offset + grid.scale * (fit.f_mean - fit.gain * fit.q_mean);
  const LevelMap map = MapOf(params, slope, base);
  return NumbersOf<Lanes>([&](int slot) { return MulAdd(fit.q[slot], map.scale, map.offset); });
}

// What v = dL/dx_hat adds to a fit.
struct GradientSums {
  float v_mean;  // 0 in the linear scheme
  float k;       // <v, q - q_mean> / (n (Var q + lambda))
};

template <class Lanes>
RIDGELINE_HOST_DEVICE GradientSums SumGradient(const BlockParams& params, const Lanes& lanes,
                                               const Regression<Lanes>& fit, const typename Lanes::Numbers& v) {
  const float v_q = Sum(lanes, [&](float sum, int slot) { return MulAdd(v[slot], fit.q[slot], sum); });
  if (!params.is_affine) return {0.0f, v_q * fit.inverse};
  const float v_sum = Sum(lanes, [&](float sum, int slot) { return sum + v[slot]; });
  return {v_sum / static_cast<float>(lanes.n()), (v_q - fit.q_mean * v_sum) * fit.inverse};
}

// dL/dq f', the part of the gradient that passes f. f is the grid value of the dense x: the regression aims at that.
template <class Lanes>
RIDGELINE_HOST_DEVICE float GradientThroughCode(const Regression<Lanes>& fit, const GradientSums& sums, float v,
                                                float f, float q) {
  const float residual = MulAdd(-2.0f * fit.gain, q - fit.q_mean, f - fit.f_mean);
  return MulAdd(sums.k, residual, fit.gain * (v - sums.v_mean));
}

// q = (x_kept - offset) / scale + delta: dq/dscale = -f / scale and dq/doffset = -1 / scale.
template <class Lanes>
RIDGELINE_HOST_DEVICE GridGradients SumGridGradients(const Lanes& lanes, const BlockGrid& grid,
                                                     const Block<Lanes>& block, const typename Lanes::Numbers& dq) {
  return {Sum(lanes, [&](float sum, int slot) { return MulAdd(-dq[slot], GridValue(grid, block.Kept(slot)), sum); }),
          Sum(lanes, [&](float sum, int slot) { return sum - dq[slot]; })};
}

// dL/dx without that of the grid's statistics, which goes to d_grid where they are in the graph. With the whole
// regression of ridge_trust in the graph, f' = m / scale: the grid value of an untrusted element counts as noise.
template <class Lanes>
RIDGELINE_HOST_DEVICE typename Lanes::Numbers RidgeGradient(const BlockParams& params, const Lanes& lanes,
                                                            const BlockGrid& grid, const Block<Lanes>& block,
                                                            const typename Lanes::Numbers& v, GridGradients* d_grid) {
  const Regression<Lanes> fit = FitRidge(params, lanes, grid, block);
  const GradientSums sums = SumGradient(params, lanes, fit, v);
  const bool trusts_all = params.estimator == BlockEstimator::kRidge;
  const auto dq = NumbersOf<Lanes>([&](int slot) {
    const float f = GridValue(grid, block.x[slot]);
    const bool passes = trusts_all || IsTrusted(params.trusted, block.kept[slot], f);
    return passes ? GradientThroughCode(fit, sums, v[slot], f, fit.q[slot]) : 0.0f;
  });
  if (params.is_grid_in_graph) *d_grid = SumGridGradients(lanes, grid, block, dq);
  return NumbersOf<Lanes>([&](int slot) { return MulAdd(sums.k, fit.q[slot] - fit.q_mean, sums.v_mean) + dq[slot]; });
}

}  // namespace ridgeline::cuda
