// SPDX-License-Identifier: Apache-2.0
#include "quant/kernels/trust.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/kernels/trust.cc"
#include <hwy/foreach_target.h>

#include "quant/kernels/blockwise-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

int64_t TrustBytesOfRow(const QuantizerSpec& spec, int64_t features) {
  const int64_t block = BlockLength(spec, features);
  return features / block * ((block + 7) / 8) + (features % block + 7) / 8;
}

template <typename T>
HWY_INLINE void ZeroUntrustedBlock(const uint8_t* trusted, const T* v, int64_t n, T* dx) {
  ForEachVector<T>(n, [&](auto d, int64_t i) HWY_ATTR {
    hn::StoreU(hn::IfThenElseZero(LoadBits(d, trusted, i), hn::LoadU(d, v + i)), d, dx + i);
  });
}

template <typename V>
void PassTrustedMatrix(const QuantizerSpec& spec, const uint8_t* trusted, const V* v, int64_t rows, int64_t features,
                       V* dx) {
  using T = Computed<V>;
  Workspace<T> workspace(spec, features);
  ForEachBlock(rows, features, workspace.block(), [&](int64_t at, int64_t column, int64_t n) HWY_ATTR {
    workspace.MoveTo(column);
    T* result = workspace.RoomForGradient(dx + at);  // Element by element: dx may be v.
    ZeroUntrustedBlock(trusted, workspace.TakeGradient(v + at, n), n, result);
    workspace.GiveGradient(result, n, dx + at);
    trusted += (n + 7) / 8;
  });
}

void PassTrustedF32(const QuantizerSpec& spec, const uint8_t* trusted, const float* v, int64_t rows, int64_t features,
                    float* dx) {
  PassTrustedMatrix(spec, trusted, v, rows, features, dx);
}
void PassTrustedF64(const QuantizerSpec& spec, const uint8_t* trusted, const double* v, int64_t rows, int64_t features,
                    double* dx) {
  PassTrustedMatrix(spec, trusted, v, rows, features, dx);
}
void PassTrustedBf16(const QuantizerSpec& spec, const uint8_t* trusted, const BFloat16* v, int64_t rows,
                     int64_t features, BFloat16* dx) {
  PassTrustedMatrix(spec, trusted, v, rows, features, dx);
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline {

HWY_EXPORT(TrustBytesOfRow);
HWY_EXPORT(PassTrustedF32);
HWY_EXPORT(PassTrustedF64);
HWY_EXPORT(PassTrustedBf16);

int64_t TrustBytes(const QuantizerSpec& spec, int64_t features) {
  return HWY_DYNAMIC_DISPATCH(TrustBytesOfRow)(spec, features);
}

template <>
void PassTrusted(const QuantizerSpec& spec, const uint8_t* trusted, const float* v, int64_t rows, int64_t features,
                 float* dx) {
  HWY_DYNAMIC_DISPATCH(PassTrustedF32)(spec, trusted, v, rows, features, dx);
}
template <>
void PassTrusted(const QuantizerSpec& spec, const uint8_t* trusted, const double* v, int64_t rows, int64_t features,
                 double* dx) {
  HWY_DYNAMIC_DISPATCH(PassTrustedF64)(spec, trusted, v, rows, features, dx);
}
template <>
void PassTrusted(const QuantizerSpec& spec, const uint8_t* trusted, const BFloat16* v, int64_t rows, int64_t features,
                 BFloat16* dx) {
  HWY_DYNAMIC_DISPATCH(PassTrustedBf16)(spec, trusted, v, rows, features, dx);
}

}  // namespace ridgeline
#endif  // HWY_ONCE
