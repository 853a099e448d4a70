// SPDX-License-Identifier: Apache-2.0
// n:m masks by magnitude (docs/methods.md#pruning). Compiled once for each instruction set; include only from files
// that use foreach_target.
#if defined(RIDGELINE_QUANT_KERNELS_PRUNE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RIDGELINE_QUANT_KERNELS_PRUNE_INL_H_
#undef RIDGELINE_QUANT_KERNELS_PRUNE_INL_H_
#else
#define RIDGELINE_QUANT_KERNELS_PRUNE_INL_H_
#endif

#include "method/resolved_spec.h"
#include "quant/kernels/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

// places[i] = the place of number i in its group of m.
template <typename T>
HWY_INLINE void GroupPlaces(int64_t n, int m, T* places) {
  for (int64_t i = 0; i < n; ++i) places[i] = static_cast<T>(i % m);
}

#if HWY_TARGET != HWY_SCALAR  // Which has no vectors to shuffle.
// Of `keep` numbers of each group of four that are kept. Groups lie within 16 bytes, where a number's neighbours are
// those whose places differ in the first bit, in the second or in both. Sizes are ordered like their bits; of equals
// the first counts as one bit more.
template <class D>
HWY_INLINE hn::Mask<D> KeptOfFours(D d, int keep, hn::Vec<D> x) {
  const hn::RebindToSigned<D> d32;
  const auto is_nan = hn::IsNaN(x);  // Comes before no other number, and stays.
  const auto size = hn::IfThenElse(hn::RebindMask(d32, is_nan), hn::Set(d32, -1), hn::BitCast(d32, hn::Abs(x)));
  const auto one = hn::Set(d32, 1), lane = hn::Iota(d32, 0);
  const auto is_odd = hn::And(lane, one), is_upper = hn::And(hn::ShiftRight<1>(lane), one);
  auto rank = hn::Zero(d32);
  const auto count = [&](auto neighbour, auto comes_later) RIDGELINE_ALWAYS_INLINE {
    rank = hn::Add(rank, hn::IfThenElseZero(hn::Gt(hn::Add(neighbour, comes_later), size), one));
  };
  count(hn::Shuffle2301(size), is_odd);
  count(hn::Shuffle1032(size), is_upper);
  count(hn::Shuffle0123(size), is_upper);
  return hn::Or(is_nan, hn::RebindMask(d, hn::Lt(rank, hn::Set(d32, keep))));
}
#endif

// mask[i] and x_kept[i] of a vector of numbers.
template <class D, typename T>
HWY_INLINE void StoreKept(D d, hn::Mask<D> kept, hn::Vec<D> x, T* mask, T* x_kept) {
  hn::StoreU(hn::IfThenElseZero(kept, hn::Set(d, T(1))), d, mask);
  hn::StoreU(hn::IfThenElseZero(kept, x), d, x_kept);
}

// mask[i] = 1 for the sparsity.n largest |x| of each group, else 0; x_kept = mask * x. Of equals the first is kept; a
// NaN is always kept. A number's rank is how many of its group come before it: each compares itself with its neighbours
// up to m - 1 places away, whatever their group, and counts those of its own. REQUIRES: n is a multiple of m; sizes has
// kLargestSparsityGroup numbers of room before it and behind its n.
template <typename T>
HWY_NOINLINE void Prune(const SparsityPattern& sparsity, const T* x, const T* places, int64_t n, T* sizes, T* mask,
                        T* x_kept) {
#if HWY_TARGET != HWY_SCALAR
  const hn::ScalableTag<T> full;
  if constexpr (sizeof(T) == 4)
    if (const int64_t lanes = static_cast<int64_t>(hn::Lanes(full)); sparsity.m == 4 && n % lanes == 0) {
      for (int64_t i = 0; i < n; i += lanes) {
        const auto numbers = hn::LoadU(full, x + i);
        StoreKept(full, KeptOfFours(full, sparsity.n, numbers), numbers, mask + i, x_kept + i);
      }
      return;
    }
#endif
  const int m = sparsity.m, keep = sparsity.n;
  ForEachVector<T>(n, [&](auto d, int64_t i) HWY_ATTR { hn::StoreU(hn::Abs(hn::LoadU(d, x + i)), d, sizes + i); });
  ForEachVector<T>(n, [&](auto d, int64_t i) HWY_ATTR {
    const auto size = hn::LoadU(d, sizes + i), place = hn::LoadU(d, places + i), one = hn::Set(d, T(1));
    auto rank = hn::Zero(d);
    for (int apart = 1; apart < m; ++apart) {
      const auto after = hn::LoadU(d, sizes + i + apart), before = hn::LoadU(d, sizes + i - apart);
      const auto has_after = hn::Lt(place, hn::Set(d, static_cast<T>(m - apart)));
      const auto has_before = hn::Ge(place, hn::Set(d, static_cast<T>(apart)));
      rank = hn::Add(rank, hn::IfThenElseZero(hn::And(has_after, hn::Gt(after, size)), one));
      rank = hn::Add(rank, hn::IfThenElseZero(hn::And(has_before, hn::Ge(before, size)), one));
    }
    StoreKept(d, hn::Lt(rank, hn::Set(d, static_cast<T>(keep))), hn::LoadU(d, x + i), mask + i, x_kept + i);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#endif  // RIDGELINE_QUANT_KERNELS_PRUNE_INL_H_
