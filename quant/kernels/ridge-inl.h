// SPDX-License-Identifier: Apache-2.0
// The ridge regression of a block onto its codes, and its gradient: what ridge and ridge_trust share. Compiled once for
// each instruction set; include only from files that use foreach_target.
//
// All sums are over q and delta = q - f instead of x, whose mean may be large beside its spread: with f = q - delta,
//   Cov(f, q) = Var q - Cov(delta, q),   mean x = offset + scale (mean q - mean delta),
// and sums of q and q^2 are exact in float for all but very long blocks.
#if defined(RIDGELINE_QUANT_KERNELS_RIDGE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RIDGELINE_QUANT_KERNELS_RIDGE_INL_H_
#undef RIDGELINE_QUANT_KERNELS_RIDGE_INL_H_
#else
#define RIDGELINE_QUANT_KERNELS_RIDGE_INL_H_
#endif

#include "quant/kernels/grid_gradient-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

// x_hat = offset + scale (gain (q - q_mean) + f_mean); the means are 0 in the linear scheme, whose offset is 0.
template <typename T>
struct Regression {
  T gain;  // Cov(f, q) / (Var q + lambda), or mean(f q) / (mean(q^2) + lambda)
  T q_mean;
  T f_mean;
  T denominator;  // n (Var q + lambda), or n (mean(q^2) + lambda); 0 where x_hat does not follow q.
};

// What becomes of v = dL/dx_hat on its way to the block's numbers.
template <typename T>
struct Upstream {
  T mean;
  T k;  // <v, q - q_mean> / denominator
};

// What is known of a block: the grid once it is measured, and the regression.
template <typename T>
struct FittedGrid {
  Grid<T> grid;
  Regression<T> fit = {};
};

// Sums over a block.
template <typename T>
struct RidgeSums {
  T q, q_squared, delta, delta_q;
};

template <typename T>
HWY_INLINE Regression<T> SolveRidge(const ResolvedSpec& spec, int64_t n, const RidgeSums<T>& sums) {
  const T count = static_cast<T>(n), inverse = T(1) / count;
  const bool affine = spec.scheme == Scheme::kAffine;
  const T q_mean = affine ? sums.q * inverse : T(0), delta_mean = affine ? sums.delta * inverse : T(0);
  const T penalty = count * static_cast<T>(spec.lambda);
  const T denominator = sums.q_squared - q_mean * sums.q + penalty;
  if (!(denominator > T(0))) return {T(0), q_mean, q_mean - delta_mean, T(0)};
  const T gain = T(1) - (penalty + sums.delta_q - delta_mean * sums.q) / denominator;
  return {gain, q_mean, q_mean - delta_mean, denominator};
}

// Writes the codes to the block's workspace, and calls each(d, i) for its vectors.
template <typename T, class Each>
HWY_INLINE Regression<T> FitRidge(const ResolvedSpec& spec, const Grid<T>& grid, const Block<T>& block,
                                  const Each& each) {
  const Encoder<T> encoder(grid, block);
  T sums[4];
  SumVectors(block.n, sums, [&](auto d, int64_t i, auto& sum) RIDGELINE_ALWAYS_INLINE {
    const auto f = GridValue(d, grid, block.x_kept + i), q = encoder.Codes(d, i, f), delta = hn::Sub(q, f);
    hn::StoreU(q, d, block.workspace + i);
    sum[0] = hn::Add(sum[0], q);
    sum[1] = hn::MulAdd(q, q, sum[1]);
    sum[2] = hn::Add(sum[2], delta);
    sum[3] = hn::MulAdd(delta, q, sum[3]);
    each(d, i);
  });
  return SolveRidge(spec, block.n, RidgeSums<T>{sums[0], sums[1], sums[2], sums[3]});
}

// For the backward pass, if it wants them.
template <typename T>
HWY_INLINE void SaveFit(const Grid<T>& grid, const Regression<T>& fit, const Block<T>& block) {
  if (block.fit == nullptr) return;
  *block.fit = {grid.inverse_scale, grid.offset, fit.gain, fit.q_mean, fit.f_mean, fit.denominator};
}

// each_of(grid) makes what to do with a vector beside.
template <typename T, class EachOf>
HWY_INLINE void FitOntoGrid(const ResolvedSpec& spec, const Block<T>& block, FittedGrid<T>* fitted,
                            const EachOf& each_of) {
  if (fitted->grid.inverse_scale == T(0)) return;
  WithGridKind(fitted->grid, [&](const Grid<T>& grid) RIDGELINE_ALWAYS_INLINE {
    fitted->fit = FitRidge(spec, grid, block, each_of(grid));
    SaveFit(grid, fitted->fit, block);
  });
}

template <typename T>
HWY_INLINE FittedGrid<T> MeasureRidge(const ResolvedSpec& spec, const Block<T>& block) {
  return {GridOf(spec, block)};
}

// Of the codes in the block's workspace.
template <typename T>
HWY_INLINE void RidgeForward(const ResolvedSpec& spec, const FittedGrid<T>& fitted, const Block<T>& block, T* x_hat) {
  const auto& [grid, fit] = fitted;
  if (grid.inverse_scale == T(0)) return ReproduceTrustedBlock(spec, block, x_hat);
  const T slope = grid.scale * fit.gain, base = grid.offset + grid.scale * (fit.f_mean - fit.gain * fit.q_mean);
  const LevelMap<T> map = MapOf(spec, block, slope, base, grid.extra);
  ForEachVector<T>(block.n, [&](auto d, int64_t i) RIDGELINE_ALWAYS_INLINE {
    const auto q = hn::LoadU(d, block.workspace + i);
    hn::StoreU(hn::MulAdd(q, hn::Set(d, map.scale), hn::Set(d, map.offset)), d, x_hat + i);
  });
}

template <typename T>
HWY_INLINE FittedGrid<T> RestoreRidge(const ResolvedSpec& spec, const Block<T>& block) {
  if (block.fit == nullptr) return {GridOf(spec, block)};
  return {RestoreGrid(spec, block), {block.fit->gain, block.fit->q_mean, block.fit->f_mean, block.fit->denominator}};
}

// Writes the codes to the block's workspace once more.
template <typename T>
HWY_INLINE Upstream<T> GradientMoments(const ResolvedSpec& spec, const Grid<T>& grid, const Block<T>& block,
                                       const Regression<T>& fit, const T* v) {
  const Encoder<T> encoder(grid, block);
  T sums[2];
  SumVectors(block.n, sums, [&](auto d, int64_t i, auto& sum) RIDGELINE_ALWAYS_INLINE {
    const auto gradient = hn::LoadU(d, v + i), q = encoder.Codes(d, i);
    hn::StoreU(q, d, block.workspace + i);
    sum[0] = hn::Add(sum[0], gradient);
    sum[1] = hn::MulAdd(gradient, q, sum[1]);
  });
  const T mean = spec.scheme == Scheme::kAffine ? sums[0] / static_cast<T>(block.n) : T(0);
  return {mean, fit.denominator == T(0) ? T(0) : (sums[1] - fit.q_mean * sums[0]) / fit.denominator};
}

// dL/dq f', the part of the gradient that passes f. f is the grid value of the dense x: the regression aims at that.
template <class D, typename T>
HWY_INLINE hn::Vec<D> GradientThroughCodes(D d, const Regression<T>& fit, const Upstream<T>& upstream, hn::Vec<D> v,
                                           hn::Vec<D> f, hn::Vec<D> q) {
  const auto f_centred = hn::Sub(f, hn::Set(d, fit.f_mean)), q_centred = hn::Sub(q, hn::Set(d, fit.q_mean));
  const auto residual = hn::MulAdd(q_centred, hn::Set(d, T(-2) * fit.gain), f_centred);
  return hn::MulAdd(hn::Set(d, upstream.k), residual,
                    hn::Mul(hn::Set(d, fit.gain), hn::Sub(v, hn::Set(d, upstream.mean))));
}

// Where all codes are trusted, with f = (x - offset) / scale:
//   dL/dx = gain v + k (1 - 2 gain) q + k f + [ (1 - gain) mean v - k ((1 - 2 gain) mean q + mean f) ].
template <typename T>
HWY_INLINE void TrustingGradient(const Grid<T>& grid, const Block<T>& block, const Regression<T>& fit,
                                 const Upstream<T>& upstream, const T* v, T* dx) {
  const T of_q = upstream.k * (T(1) - T(2) * fit.gain);
  const T of_x = upstream.k * grid.inverse_scale;
  const T base = (T(1) - fit.gain) * upstream.mean - of_q * fit.q_mean - upstream.k * fit.f_mean - of_x * grid.offset;
  ForEachVector<T>(block.n, [&](auto d, int64_t i) RIDGELINE_ALWAYS_INLINE {
    const auto of_numbers = hn::MulAdd(hn::LoadU(d, block.x + i), hn::Set(d, of_x), hn::Set(d, base));
    const auto of_codes = hn::MulAdd(hn::LoadU(d, block.workspace + i), hn::Set(d, of_q), of_numbers);
    hn::StoreU(hn::MulAdd(hn::LoadU(d, v + i), hn::Set(d, fit.gain), of_codes), d, dx + i);
  });
}

// The whole regression in the graph, with f' = m / scale: the grid value of an untrusted element counts as noise.
template <typename T>
HWY_INLINE void TrustedGradient(const ResolvedSpec& spec, const Grid<T>& grid, const Block<T>& block,
                                const Regression<T>& fit, const Upstream<T>& upstream, const T* v, T* dx) {
  const TrustedCodes<T> trusted = TrustedCodesOf(spec, grid);
  ForEachVector<T>(block.n, [&](auto d, int64_t i) RIDGELINE_ALWAYS_INLINE {
    const auto f = GridValue(d, grid, block.x + i), q = hn::LoadU(d, block.workspace + i);
    const auto dq = GradientThroughCodes(d, fit, upstream, hn::LoadU(d, v + i), f, q);
    const auto direct =
        hn::MulAdd(hn::Set(d, upstream.k), hn::Sub(q, hn::Set(d, fit.q_mean)), hn::Set(d, upstream.mean));
    hn::StoreU(hn::Add(direct, ZeroUntrusted(d, trusted, block, i, f, dq)), d, dx + i);
  });
}

// q = (x_kept - offset) / scale + delta: dq/dscale = -f / scale and dq/doffset = -1 / scale.
template <typename T>
HWY_INLINE GridGradients<T> GridGradientsOf(const Grid<T>& grid, const Block<T>& block, const Regression<T>& fit,
                                            const Upstream<T>& upstream, const T* v) {
  T sums[2];
  SumVectors(block.n, sums, [&](auto d, int64_t i, auto& sum) RIDGELINE_ALWAYS_INLINE {
    const auto f = GridValue(d, grid, block.x + i), f_kept = GridValue(d, grid, block.x_kept + i);
    const auto dq = GradientThroughCodes(d, fit, upstream, hn::LoadU(d, v + i), f, hn::LoadU(d, block.workspace + i));
    sum[0] = hn::NegMulAdd(dq, f_kept, sum[0]);
    sum[1] = hn::Sub(sum[1], dq);
  });
  return {sums[0], sums[1]};
}

// With a detached fit nothing but x itself moves x_hat, straight through where that is trusted.
template <bool kTrust, typename T>
HWY_INLINE void RidgeBackwardFrom(const ResolvedSpec& spec, const Grid<T>& grid, const Regression<T>& fit,
                                  const Block<T>& block, const T* v, T* dx) {
  if (spec.is_fit_detached) {
    if constexpr (kTrust)
      return PassTrustedGradient(TrustedCodesOf(spec, grid), grid, block, v, dx);
    else
      return PassGradient(block, v, dx);
  }
  const Upstream<T> upstream = GradientMoments(spec, grid, block, fit, v);
  if constexpr (kTrust) return TrustedGradient(spec, grid, block, fit, upstream, v, dx);
  const bool in_graph = spec.grid_gradient == GridGradient::kGraph;
  const GridGradients<T> d_grid = in_graph ? GridGradientsOf(grid, block, fit, upstream, v) : GridGradients<T>{};
  TrustingGradient(grid, block, fit, upstream, v, dx);
  if (in_graph) AddGridGradient(spec, block, d_grid, dx);
}

template <bool kTrust, typename T>
HWY_INLINE void RidgeBackward(const ResolvedSpec& spec, const FittedGrid<T>& fitted, const Block<T>& block, const T* v,
                              T* dx) {
  if (fitted.grid.inverse_scale == T(0)) return PassGradient(block, v, dx);
  WithGridKind(fitted.grid, [&](const Grid<T>& grid) RIDGELINE_ALWAYS_INLINE {
    RidgeBackwardFrom<kTrust>(spec, grid, fitted.fit, block, v, dx);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#endif  // RIDGELINE_QUANT_KERNELS_RIDGE_INL_H_
