// SPDX-License-Identifier: Apache-2.0
// Block math that every estimator shares: the grid of a block, its codes, and which of them are trusted. Compiled once
// for each instruction set; include only from files that use foreach_target.
#if defined(RIDGELINE_QUANT_KERNELS_GRID_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RIDGELINE_QUANT_KERNELS_GRID_INL_H_
#undef RIDGELINE_QUANT_KERNELS_GRID_INL_H_
#else
#define RIDGELINE_QUANT_KERNELS_GRID_INL_H_
#endif

#include "quant/kernels/block-inl.h"
#include "quant/kernels/float_round-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

// f(x) = (x - offset) * inverse_scale; the code is the nearest level to f(x). Levels are one apart, from lowest to
// highest, and `shift` off the integers; those of floating-point formats are in `levels` and `extra`
// (float_grid-inl.h).
template <typename T>
struct Grid {
  T scale;
  T inverse_scale;  // 0 for a block without extent.
  T offset;         // 0 in the linear scheme.
  T lowest;
  T highest;
  T shift;
  bool is_sign;  // Linear 1 bit: the code is the sign of x, and sign(0) = +1.
  FloatLevels<T> levels = {};
  T extra = 0;  // BitMoD's own level of this block; 0 for none.
  T half_last_step = T(0.5);
};

template <typename T>
HWY_INLINE T AffineHighest(int bits) {
  return static_cast<T>((1 << bits) - 1);
}

// Levels 0 .. 2^bits - 1 from the smallest number to the largest.
template <typename T>
HWY_INLINE Grid<T> AffineGrid(const T* x, int64_t n, int bits) {
  const Extent<T> extent = ExtentOf(x, n);
  if (HWY_UNLIKELY(!extent.is_finite)) return {};
  const T highest = AffineHighest<T>(bits), scale = (extent.largest - extent.smallest) / highest;
  return {scale, InverseOrZero(scale), extent.smallest, T(0), highest, T(0), false};
}

template <typename T>
HWY_INLINE T LinearHighest(Format format) {
  if (format == Format::kInt1 || format == Format::kTernary) return T(1);
  if (HasOwnElement(format)) return static_cast<T>(LargestElement(format));
  return static_cast<T>(1 << (IntegerBits(format) - 1)) - T(0.5);
}

// Of plain integers, signs and ternary numbers.
template <typename T>
HWY_INLINE Grid<T> GridWithScale(const ResolvedSpec& spec, T scale, T inverse_scale, T offset) {
  if (spec.scheme == Scheme::kAffine)
    return {scale, inverse_scale, offset, T(0), AffineHighest<T>(IntegerBits(spec.format)), T(0), false};
  const bool is_integer = spec.format == Format::kInt1 || spec.format == Format::kTernary;
  const T highest = LinearHighest<T>(spec.format), shift = is_integer ? T(0) : T(0.5);
  return {scale, inverse_scale, T(0), -highest, highest, shift, spec.format == Format::kInt1};
}

// int1: mean |x| times the sign. ternary: mean |x|. intB: 2^B levels in symmetry about zero, half-integers, the
// outermost at max |x|. A mean is that of what is kept.
template <typename T>
HWY_INLINE Grid<T> LinearGrid(const ResolvedSpec& spec, const Block<T>& block) {
  const T* x = block.x_kept;
  const bool is_mean = spec.format == Format::kInt1 || spec.format == Format::kTernary;
  if (HWY_UNLIKELY(!is_mean && !IsFinite(x, block.n))) return {};
  const T scale = is_mean ? SumAbs(x, block.n) / block.kept_count : MaxAbs(x, block.n) / LinearHighest<T>(spec.format);
  return GridWithScale(spec, scale, InverseOrZero(scale), T(0));
}

// Of what is kept: about the mean in the affine scheme, else about zero.
template <typename T>
HWY_INLINE Moments<T> MomentsOf(const ResolvedSpec& spec, const Block<T>& block) {
  const bool centred = spec.scheme == Scheme::kAffine;
  Moments<T> moments;
  if (block.unrotated != nullptr && !block.is_sparse() && MomentsOfRotated(centred, block.unrotated, block.n, &moments))
    return moments;
  return MomentsAbout(centred, block.x_kept, block.n, block.kept_count);
}

// Least mean square error for Gaussian numbers: the outermost levels at +-GaussianExtent RMS.
template <typename T>
HWY_INLINE Grid<T> GaussianGrid(const ResolvedSpec& spec, const Block<T>& block) {
  const Moments<T> moments = MomentsOf(spec, block);
  const T extent = static_cast<T>(GaussianExtent(spec.format)) * moments.rms;
  // Quotients that need not wait for the moments.
  const T steps_of_extent = spec.scheme == Scheme::kAffine ? T(2) / AffineHighest<T>(IntegerBits(spec.format))
                                                           : T(1) / LinearHighest<T>(spec.format);
  const T scale = extent * steps_of_extent;
  return GridWithScale(spec, scale, InverseOrZero(scale), moments.mean - extent);
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#include "quant/kernels/float_grid-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

// Of plain integers, signs and ternary numbers. Without an inverse scale, too, where a number is not finite: extents
// are told, means are not finite themselves.
template <typename T>
HWY_INLINE Grid<T> PlainGrid(const ResolvedSpec& spec, const Block<T>& block) {
  if (spec.grid == GridStatistics::kGaussian) return GaussianGrid(spec, block);
  if (spec.scheme == Scheme::kAffine) return AffineGrid(block.x_kept, block.n, IntegerBits(spec.format));
  return LinearGrid(spec, block);
}

// That of what is kept.
template <typename T>
HWY_INLINE Grid<T> GridOf(const ResolvedSpec& spec, const Block<T>& block) {
  if (!HasOwnElement(spec.format)) return PlainGrid(spec, block);
  const T rms = spec.grid == GridStatistics::kGaussian ? MomentsOf(spec, block).rms : T(0);
  return FloatGrid(spec, block.x_kept, block.n, rms);  // Not the block, which would have to go to memory for it.
}

// That of the forward pass, of which this block's inverse scale and offset were saved if its regression was.
template <typename T>
HWY_INLINE Grid<T> RestoreGrid(const ResolvedSpec& spec, const Block<T>& block) {
  if (block.fit == nullptr || HasOwnElement(spec.format)) return GridOf(spec, block);
  const T inverse_scale = block.fit->inverse_scale;
  return GridWithScale(spec, inverse_scale == T(0) ? T(0) : T(1) / inverse_scale, inverse_scale, block.fit->offset);
}

// Calls function(grid), compiled once for each kind of levels: loops over a block do not ask for it, and plain grids
// stay in registers. Half-integers are linear and have no offset.
template <typename T, class Function>
HWY_INLINE void WithGridKind(const Grid<T>& grid, const Function& function) {
  if (grid.levels.magnet != T(0)) return function(grid);
  const T scale = grid.scale, inverse = grid.inverse_scale;
  if (grid.is_sign)
    function(Grid<T>{scale, inverse, T(0), T(-1), T(1), T(0), true});
  else if (grid.shift == T(0))
    function(Grid<T>{scale, inverse, grid.offset, grid.lowest, grid.highest, T(0), false});
  else
    function(Grid<T>{scale, inverse, T(0), grid.lowest, grid.highest, T(0.5), false});
}

// (x - offset) / scale, but for half a step between neighbouring numbers of T at the offset.
template <class D, typename T>
HWY_INLINE hn::Vec<D> GridValue(D d, const Grid<T>& grid, const T* x) {
  return hn::MulAdd(hn::LoadU(d, x), hn::Set(d, grid.inverse_scale), hn::Set(d, -grid.offset * grid.inverse_scale));
}

// The level nearest to f. REQUIRES: the grid is not floating-point.
template <class D, typename T>
HWY_INLINE hn::Vec<D> NearestLevel(D d, const Grid<T>& grid, hn::Vec<D> f) {
  if (grid.is_sign) return hn::IfThenElse(hn::Lt(f, hn::Zero(d)), hn::Set(d, T(-1)), hn::Set(d, T(1)));
  const auto shift = hn::Set(d, grid.shift);
  const auto level = grid.shift == T(0) ? hn::Round(f) : hn::Add(hn::Round(hn::Sub(f, shift)), shift);
  return hn::Min(hn::Max(level, hn::Set(d, grid.lowest)), hn::Set(d, grid.highest));
}

// q[i] = code of x[i], a level held in T.
template <typename T>
HWY_INLINE void Encode(const Grid<T>& grid, const T* x, int64_t n, T* q) {
  if (grid.levels.magnet != T(0)) return EncodeFloat(grid, x, n, q);
  ForEachVector<T>(
      n, [&](auto d, int64_t i) HWY_ATTR { hn::StoreU(NearestLevel(d, grid, GridValue(d, grid, x + i)), d, q + i); });
}

// Codes of a block, one vector after the other; those of floating-point formats are made beforehand, in the workspace.
template <typename T>
class Encoder {
 public:
  HWY_INLINE Encoder(const Grid<T>& grid, const Block<T>& block) : grid_(grid), block_(block) {
    if (!is_float()) return;
    const Grid<T> copy = grid;  // Whose address may be known elsewhere: the other one can then stay in registers.
    EncodeFloat(copy, block.x_kept, block.n, block.workspace);
  }

  // The code of x_kept[i], whose grid value is f; 0 where pruned.
  template <class D>
  HWY_INLINE hn::Vec<D> Codes(D d, int64_t i, hn::Vec<D> f) const {
    const auto level = is_float() ? hn::LoadU(d, block_.workspace + i) : NearestLevel(d, grid_, f);
    return ZeroPruned(d, block_, i, level);
  }
  template <class D>
  HWY_INLINE hn::Vec<D> Codes(D d, int64_t i) const {
    return Codes(d, i, GridValue(d, grid_, block_.x_kept + i));
  }

 private:
  bool is_float() const { return grid_.levels.magnet != T(0); }

  const Grid<T> grid_;
  const Block<T> block_;
};

// What to do with a vector of a block on its way, beside what is done anyway: nothing.
struct NothingMore {
  template <class D>
  HWY_INLINE void operator()(D, int64_t) const {}
};

// x_hat = scale q + offset, and each(d, i) for its vectors.
template <typename T, class Each = NothingMore>
HWY_INLINE void RoundOntoGrid(const ResolvedSpec& spec, const Grid<T>& grid, const Block<T>& block, T* x_hat,
                              const Each& each = {}) {
  const Encoder<T> encoder(grid, block);
  const LevelMap<T> map = MapOf(spec, block, grid.scale, grid.offset, grid.extra);
  ForEachVector<T>(block.n, [&](auto d, int64_t i) RIDGELINE_ALWAYS_INLINE {
    hn::StoreU(hn::MulAdd(encoder.Codes(d, i), hn::Set(d, map.scale), hn::Set(d, map.offset)), d, x_hat + i);
    each(d, i);
  });
}

// An element is trusted where f lies between low and high: spec.trust times the outermost level from the centre, or up
// to half a step beyond the outermost level where that is 0. The zero of a pruned element is a code with an error, too:
// trusted where that is at most half the distance of two levels.
template <typename T>
struct TrustedCodes {
  T low;
  T high;
  T pruned;  // The largest |f| of a trusted pruned element.
};

template <typename T>
HWY_INLINE TrustedCodes<T> TrustedCodesOf(const ResolvedSpec& spec, const Grid<T>& grid) {
  const T centre = (grid.highest + grid.lowest) / T(2), reach = (grid.highest - grid.lowest) / T(2);
  const T trusted = spec.trust > 0 ? static_cast<T>(spec.trust) * reach : reach + grid.half_last_step;
  return {centre - trusted, centre + trusted, spec.format == Format::kInt1 ? reach : grid.half_last_step};
}

// f is the grid value of the dense x.
template <class D, typename T>
HWY_INLINE hn::Mask<D> IsTrusted(D d, const TrustedCodes<T>& trusted, const Block<T>& block, int64_t i, hn::Vec<D> f) {
  auto low = hn::Set(d, trusted.low), high = hn::Set(d, trusted.high);
  if (block.is_sparse()) {
    const auto kept = hn::Gt(hn::LoadU(d, block.mask + i), hn::Zero(d));
    low = hn::IfThenElse(kept, low, hn::Set(d, -trusted.pruned));
    high = hn::IfThenElse(kept, high, hn::Set(d, trusted.pruned));
  }
  return hn::And(hn::Ge(f, low), hn::Le(f, high));
}

// values[i] where the element is trusted, 0 elsewhere.
template <class D, typename T>
HWY_INLINE hn::Vec<D> ZeroUntrusted(D d, const TrustedCodes<T>& trusted, const Block<T>& block, int64_t i, hn::Vec<D> f,
                                    hn::Vec<D> values) {
  return hn::IfThenElseZero(IsTrusted(d, trusted, block, i, f), values);
}

// Records who is trusted of a block that has this grid, vector by vector.
template <typename T>
class TrustRecorder {
 public:
  HWY_INLINE TrustRecorder(const TrustedCodes<T>& trusted, const Grid<T>& grid, const Block<T>& block)
      : trusted_(trusted), grid_(grid), block_(block) {
    ClearTrust(block);
  }
  template <class D>
  HWY_INLINE void operator()(D d, int64_t i) const {
    RecordTrust(d, IsTrusted(d, trusted_, block_, i, GridValue(d, grid_, block_.x + i)), i, block_);
  }

 private:
  const TrustedCodes<T> trusted_;
  const Grid<T>& grid_;
  const Block<T>& block_;
};

// dx = v where the element is trusted, 0 elsewhere. REQUIRES: the grid has an extent.
template <typename T>
HWY_INLINE void PassTrustedGradient(const TrustedCodes<T>& trusted, const Grid<T>& grid, const Block<T>& block,
                                    const T* v, T* dx) {
  ForEachVector<T>(block.n, [&](auto d, int64_t i) HWY_ATTR {
    const auto f = GridValue(d, grid, block.x + i);
    hn::StoreU(ZeroUntrusted(d, trusted, block, i, f, hn::LoadU(d, v + i)), d, dx + i);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#endif  // RIDGELINE_QUANT_KERNELS_GRID_INL_H_
