// SPDX-License-Identifier: Apache-2.0
#include "quant/kernels/trust.h"

#include <tuple>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/kernels/trust.cc"
#include <hwy/foreach_target.h>

#include "quant/kernels/blockwise-inl.h"

#ifndef RIDGELINE_QUANT_KERNELS_TRUST_TABLE_  // Once for all instruction sets.
#define RIDGELINE_QUANT_KERNELS_TRUST_TABLE_
namespace ridgeline {
template <typename V>
using PassFunction = void (*)(const ResolvedSpec&, const uint8_t*, const V*, int64_t, int64_t, V*);
using PassTable = std::tuple<PassFunction<float>, PassFunction<double>, PassFunction<BFloat16>>;
}  // namespace ridgeline
#endif

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

// dx in T, of v in T or in a type that LoadAs converts.
template <typename T, typename V>
HWY_INLINE void ZeroUntrustedBlock(const uint8_t* trusted, const V* v, int64_t n, T* dx) {
  ForEachVector<T>(n, [&](auto d, int64_t i) HWY_ATTR {
    hn::StoreU(hn::IfThenElseZero(LoadBits(d, trusted, i), LoadAs(d, v + i)), d, dx + i);
  });
}

// Whether a bit says so is all that happens to a number that is not rotated: it stays what it is stored as.
HWY_INLINE const uint16_t* AsStored(const BFloat16* v) { return reinterpret_cast<const uint16_t*>(v); }
HWY_INLINE uint16_t* AsStored(BFloat16* v) { return reinterpret_cast<uint16_t*>(v); }
template <typename V>
HWY_INLINE V* AsStored(V* v) {
  return v;
}

template <typename V>
void PassTrustedMatrix(const ResolvedSpec& spec, const uint8_t* trusted, const V* v, int64_t rows, int64_t features,
                       V* dx) {
  using T = Computed<V>;
  Workspace<T> workspace(spec, features);
  ForEachBlocks(rows, features, workspace.block(), [&](const Place* places, int count) HWY_ATTR {
    for (int i = 0; i < count; ++i) {
      const auto [at, column, n] = places[i];
      Prefetch(v + at + count * n, n);
      if (spec.hadamard) {
        workspace.MoveTo(i, places[i]);
        T* result = workspace.RoomForGradient(nullptr, dx + at);
        if (spec.stays_rotated)
          ZeroUntrustedBlock(trusted, v + at, n, result);
        else
          ZeroUntrustedBlock(trusted, workspace.LoadGradient(v + at, n), n, result);
        workspace.StoreGradient(result, n, dx + at);
      } else {
        ZeroUntrustedBlock(trusted, AsStored(v + at), n, AsStored(dx + at));  // Element by element: dx may be v.
      }
      trusted += (n + 7) / 8;
    }
  });
}

const PassTable& PassFunctions() {
  static constexpr PassTable functions = {&PassTrustedMatrix<float>, &PassTrustedMatrix<double>,
                                          &PassTrustedMatrix<BFloat16>};
  return functions;
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline {

HWY_EXPORT(PassFunctions);

template <typename V>
void PassTrusted(const QuantizerSpec& spec, const uint8_t* trusted, const V* v, int64_t rows, int64_t features, V* dx) {
  const ResolvedSpec resolved = Resolve(spec, /*traits=*/nullptr);  // Masks are made: what made them no longer matters.
  std::get<PassFunction<V>>(HWY_DYNAMIC_DISPATCH(PassFunctions)())(resolved, trusted, v, rows, features, dx);
}
template void PassTrusted(const QuantizerSpec&, const uint8_t*, const float*, int64_t, int64_t, float*);
template void PassTrusted(const QuantizerSpec&, const uint8_t*, const double*, int64_t, int64_t, double*);
template void PassTrusted(const QuantizerSpec&, const uint8_t*, const BFloat16*, int64_t, int64_t, BFloat16*);

}  // namespace ridgeline
#endif  // HWY_ONCE
