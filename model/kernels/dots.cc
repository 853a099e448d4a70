// SPDX-License-Identifier: Apache-2.0
#include "model/kernels/dots.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/dots.cc"
#include <hwy/foreach_target.h>

#include <hwy/cache_control.h>

#include "model/kernels/bf16-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline::rows {
namespace HWY_NAMESPACE {

// Of kX rows of x and kW of w. Their sums stay in registers: AVX2 has 16. Rows of w are fetched kW ahead, without which
// a core reads two thirds of what it could.
template <int kX, int kW, typename T>
HWY_INLINE void DotTile(const float* x, const T* w, int64_t n, float* out, int64_t stride) {
  Vector sums[kX][kW];
  for (auto& of_x : sums)
    for (Vector& sum : of_x) sum = hn::Zero(Floats());
  ForVectors(n, [&](int64_t k, auto at) HWY_ATTR {
    Vector weights[kW];
    for (int j = 0; j < kW; ++j) {
      hwy::Prefetch(w + (kW + j) * n + k);
      weights[j] = at.Get(w + j * n + k, 0);
    }
    for (int i = 0; i < kX; ++i) {
      const Vector numbers = at.Get(x + i * n + k, 0);
      for (int j = 0; j < kW; ++j) sums[i][j] = hn::MulAdd(numbers, weights[j], sums[i][j]);
    }
  });
  for (int i = 0; i < kX; ++i)
    for (int j = 0; j < kW; ++j) out[i * stride + j] = Total(sums[i][j]);
}

// All rows of x with kW rows of w, which are in the innermost cache after the first.
template <int kW, typename T>
HWY_INLINE void DotsOfRows(const float* x, int64_t count, const T* w, int64_t n, float* out, int64_t stride) {
  int64_t i = 0;
  for (; i + 2 <= count; i += 2) DotTile<2, kW>(x + i * n, w, n, out + i * stride, stride);
  if (i < count) DotTile<1, kW>(x + i * n, w, n, out + i * stride, stride);
}

template <typename T>
void AllDots(const float* x, int64_t count, const T* w, int64_t rows, int64_t n, float* out, int64_t stride) {
  int64_t j = 0;
  for (; j + 4 <= rows; j += 4) DotsOfRows<4>(x, count, w + j * n, n, out + j, stride);
  for (; j < rows; ++j) DotsOfRows<1>(x, count, w + j * n, n, out + j, stride);
}

void DotsF32(const float* x, int64_t count, const float* w, int64_t rows, int64_t n, float* out, int64_t stride) {
  AllDots(x, count, w, rows, n, out, stride);
}
void DotsBf16(const float* x, int64_t count, const Bfloat16* w, int64_t rows, int64_t n, float* out, int64_t stride) {
  AllDots(x, count, w, rows, n, out, stride);
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline::rows
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline::rows {

HWY_EXPORT(DotsF32);
HWY_EXPORT(DotsBf16);

template <>
void DotRows(const float* x, int64_t count, const float* w, int64_t rows, int64_t n, float* out, int64_t stride) {
  HWY_DYNAMIC_DISPATCH(DotsF32)(x, count, w, rows, n, out, stride);
}
template <>
void DotRows(const float* x, int64_t count, const Bfloat16* w, int64_t rows, int64_t n, float* out, int64_t stride) {
  HWY_DYNAMIC_DISPATCH(DotsBf16)(x, count, w, rows, n, out, stride);
}

}  // namespace ridgeline::rows
#endif  // HWY_ONCE
