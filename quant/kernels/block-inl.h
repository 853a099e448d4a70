// SPDX-License-Identifier: Apache-2.0
// A block as estimators see it, widened, rotated and pruned, and what to do with one that has no grid. Compiled once
// for each instruction set; include only from files that use foreach_target.
#if defined(RIDGELINE_QUANT_KERNELS_BLOCK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RIDGELINE_QUANT_KERNELS_BLOCK_INL_H_
#undef RIDGELINE_QUANT_KERNELS_BLOCK_INL_H_
#else
#define RIDGELINE_QUANT_KERNELS_BLOCK_INL_H_
#endif

#include "method/resolved_spec.h"
#include "quant/kernels/block_statistics.h"
#include "quant/kernels/float_round-inl.h"
#include "quant/kernels/statistics-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

// What the backward pass takes from the forward pass for BackwardPass::kFit: the block's grid, and its regression as
// ridge-inl.h has it.
template <typename T>
struct SavedFit {
  T inverse_scale = 0;  // 0 for a block without a grid.
  T offset = 0;
  T gain = 0;
  T q_mean = 0;
  T f_mean = 0;
  T denominator = 0;
};
static_assert(sizeof(SavedFit<float>) == kNumbersOfFit * sizeof(float));

// What a block's levels come to: x_hat = scale level + offset.
template <typename T>
struct LevelMap {
  T scale;
  T offset;
};

// n numbers that share a grid. They stay the caller's.
template <typename T>
struct Block {
  const T* x;       // Dense: what a regression aims at.
  const T* x_kept;  // What is quantized: 0 where pruned. x itself when dense.
  const T* mask;    // 1 where kept, 0 where pruned; null when dense.
  int64_t n;
  T kept_count;                  // How many of x_kept a mean runs over.
  T* workspace;                  // Room for n, for the estimator.
  const T* unrotated = nullptr;  // What x is rotated from by the Hadamard matrix; null where x was not rotated.
  // Where the forward pass, if it is asked to, saves a bit for each element, or grid and regression.
  uint8_t* trusted = nullptr;
  SavedFit<T>* fit = nullptr;
  // Where a forward pass that encodes leaves what the levels come to.
  BlockStatistics* statistics = nullptr;

  bool is_sparse() const { return mask != nullptr; }
};

// The length of most blocks.
inline constexpr int64_t kUsualBlock = 128;

// Calls function(block), for float blocks of the usual length with that as a constant, and with or without a mask:
// loops then have no ends to check.
template <typename T, class Function>
HWY_INLINE auto WithKnownShape(const Block<T>& block, const Function& function) {
  if constexpr (sizeof(T) == 4)
    if (block.n == kUsualBlock) {
      if (block.is_sparse())
        return function(Block<T>{block.x, block.x_kept, block.mask, kUsualBlock, block.kept_count, block.workspace,
                                 block.unrotated, block.trusted, block.fit, block.statistics});
      return function(Block<T>{block.x, block.x, nullptr, kUsualBlock, T(kUsualBlock), block.workspace, block.unrotated,
                               block.trusted, block.fit, block.statistics});
    }
  return function(block);
}

// Of a block that is only gone through once.
struct NothingMeasured {};
template <typename T>
HWY_INLINE NothingMeasured MeasureNothing(const ResolvedSpec&, const Block<T>&) {
  return {};
}
template <typename T, class Measured>
HWY_INLINE void FitNothing(const ResolvedSpec&, const Block<T>&, Measured*) {}

// values[i] = 0 where pruned.
template <class D, typename T>
HWY_INLINE hn::Vec<D> ZeroPruned(D d, const Block<T>& block, int64_t i, hn::Vec<D> values) {
  return block.is_sparse() ? hn::Mul(values, hn::LoadU(d, block.mask + i)) : values;
}

// The nearest float16, ties to even, of those beyond the largest that, and never -0; NaN stays NaN.
template <typename T>
HWY_INLINE T RoundToFloat16(T x) {
  const T size = Min(Abs(x), static_cast<T>(kFloat16.largest)),
          rounded = RoundToLevel(FloatLevelsOf<T>(kFloat16), size);
  if (HWY_UNLIKELY(x != x)) return x;
  return (x < T(0) ? -rounded : rounded) + T(0);
}

// That with which a block is written, in the precision that the spec says. A pass that encodes notes it, and writes
// levels. `extra` is BitMoD's own level.
template <typename T>
HWY_INLINE LevelMap<T> MapOf(const ResolvedSpec& spec, const Block<T>& block, T scale, T offset, T extra = T(0)) {
  LevelMap<T> map{scale, offset};
  if (spec.stores_scales() && HasPlainScale(spec.format)) {
    const T factor = static_cast<T>(StoredScaleFactor(spec.format));
    map = {RoundToFloat16(scale * factor) / factor, RoundToFloat16(offset)};
  }
  if (HWY_LIKELY(block.statistics == nullptr)) return map;
  *block.statistics = {static_cast<float>(map.scale), static_cast<float>(map.offset), static_cast<float>(extra)};
  return {T(1), T(0)};
}

// As a file has it: without a step, all of it is its smallest number, rounded (affine), or zero (linear).
template <typename T>
HWY_INLINE void StoreConstantBlock(const ResolvedSpec& spec, const Block<T>& block, T* x_hat) {
  const T nan = T(__builtin_nan(""));
  T constant = spec.scheme == Scheme::kAffine ? block.x_kept[0] : T(0);
  for (int64_t i = 0; spec.scheme == Scheme::kAffine && i < block.n; ++i) constant = Min(constant, block.x_kept[i]);
  const bool is_finite = IsFinite(block.x, block.n);
  const LevelMap<T> map = MapOf(spec, block, is_finite ? T(0) : nan, is_finite ? constant : nan);
  Fill(x_hat, block.n, map.offset);
}

// A block without a grid is reproduced as it is, or is NaN as a whole if a number of it is not finite.
template <typename T>
HWY_INLINE void ReproduceBlock(const ResolvedSpec& spec, const Block<T>& block, T* x_hat) {
  if (spec.stores_scales() || spec.encodes) return StoreConstantBlock(spec, block, x_hat);
  if (IsFinite(block.x, block.n)) return Copy(block.x_kept, block.n, x_hat);
  Fill(x_hat, block.n, T(__builtin_nan("")));
}

// Before trust is recorded, if it is: bytes that vectors fill only in part begin as 0.
template <typename T>
HWY_INLINE void ClearTrust(const Block<T>& block) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<T>()));
  if (block.trusted != nullptr && (lanes < 8 || block.n % lanes != 0))
    Fill(block.trusted, (block.n + 7) / 8, uint8_t{0});
}

// Records who of a vector is trusted, if the block asks for it. REQUIRES: ClearTrust.
template <class D, typename T>
HWY_INLINE void RecordTrust(D d, hn::Mask<D> is_trusted, int64_t i, const Block<T>& block) {
  if (block.trusted != nullptr) StoreBits(d, is_trusted, i, block.trusted);
}

// All of it is trusted, and what is saved of its grid has no inverse scale.
template <typename T>
HWY_INLINE void ReproduceTrustedBlock(const ResolvedSpec& spec, const Block<T>& block, T* x_hat) {
  ReproduceBlock(spec, block, x_hat);
  if (block.trusted != nullptr) Fill(block.trusted, (block.n + 7) / 8, uint8_t{0xFF});
  if (block.fit != nullptr) *block.fit = {};
}

// The same for gradients: v passes, or is NaN.
template <typename T>
HWY_INLINE void PassGradient(const Block<T>& block, const T* v, T* dx) {
  if (IsFinite(block.x, block.n)) return Copy(v, block.n, dx);
  Fill(dx, block.n, T(__builtin_nan("")));
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#endif  // RIDGELINE_QUANT_KERNELS_BLOCK_INL_H_
