// SPDX-License-Identifier: Apache-2.0
// n:m masks by magnitude (METHODS A12). Compiled once for each instruction set; include only from files that use
// foreach_target.
#if defined(RIDGELINE_QUANT_KERNELS_PRUNE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RIDGELINE_QUANT_KERNELS_PRUNE_INL_H_
#undef RIDGELINE_QUANT_KERNELS_PRUNE_INL_H_
#else
#define RIDGELINE_QUANT_KERNELS_PRUNE_INL_H_
#endif

#include "quant/kernels/lanes-inl.h"
#include "quant/spec/quant_spec.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

// places[i] = the place of number i in its group of m.
template <typename T>
HWY_INLINE void GroupPlaces(int64_t n, int m, T* places) {
  for (int64_t i = 0; i < n; ++i) places[i] = static_cast<T>(i % m);
}

// mask[i] = 1 for the sparsity.n largest |x| of each group, else 0; x_kept = mask * x. Of equals the first is kept; a NaN
// is always kept. A number's rank is how many of its group come before it: each compares itself with its neighbours up to
// m - 1 places away, whatever their group, and counts those of its own. REQUIRES: n is a multiple of m; sizes has
// kLargestSparsityGroup numbers of room before it and behind its n.
template <typename T>
HWY_NOINLINE void Prune(const SparsityPattern& sparsity, const T* x, const T* places, int64_t n, T* sizes, T* mask,
                      T* x_kept) {
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
    const auto kept = hn::Lt(rank, hn::Set(d, static_cast<T>(keep)));
    hn::StoreU(hn::IfThenElseZero(kept, one), d, mask + i);
    hn::StoreU(hn::IfThenElseZero(kept, hn::LoadU(d, x + i)), d, x_kept + i);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#endif  // RIDGELINE_QUANT_KERNELS_PRUNE_INL_H_
