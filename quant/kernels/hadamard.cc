// SPDX-License-Identifier: Apache-2.0
// A stage adds and subtracts the two halves and interleaves the results: a butterfly on the top bit of the index, which
// becomes the lowest. After log2(n) stages every bit has had its butterfly and is back in its place, and all stages had
// the same contiguous loads of full vectors. Two stages at a time halve the trips through memory.
#include "quant/kernels/hadamard.h"

#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/kernels/hadamard.cc"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// One stage on scale * from.
template <typename T>
HWY_INLINE void OneStage(const T* HWY_RESTRICT from, int64_t n, T scale, T* HWY_RESTRICT to) {
  const hn::ScalableTag<T> d;
  const auto factor = hn::Set(d, scale);
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), half = n / 2;
  int64_t i = 0;
  for (; i + lanes <= half; i += lanes) {
    const auto a = hn::Mul(factor, hn::LoadU(d, from + i)), b = hn::Mul(factor, hn::LoadU(d, from + i + half));
    hn::StoreInterleaved2(hn::Add(a, b), hn::Sub(a, b), d, to + 2 * i);
  }
  for (; i < half; ++i) {
    const T a = scale * from[i], b = scale * from[i + half];
    to[2 * i] = a + b;
    to[2 * i + 1] = a - b;
  }
}

// Two stages on scale * from.
template <typename T>
HWY_INLINE void TwoStages(const T* HWY_RESTRICT from, int64_t n, T scale, T* HWY_RESTRICT to) {
  const hn::ScalableTag<T> d;
  const auto factor = hn::Set(d, scale);
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d)), quarter = n / 4;
  int64_t i = 0;
  for (; i + lanes <= quarter; i += lanes) {
    const T* at = from + i;
    const auto a = hn::LoadU(d, at), b = hn::LoadU(d, at + quarter);
    const auto c = hn::LoadU(d, at + 2 * quarter), e = hn::LoadU(d, at + 3 * quarter);
    const auto ac = hn::Mul(factor, hn::Add(a, c)), be = hn::Mul(factor, hn::Add(b, e));
    const auto a_c = hn::Mul(factor, hn::Sub(a, c)), b_e = hn::Mul(factor, hn::Sub(b, e));
    hn::StoreInterleaved4(hn::Add(ac, be), hn::Sub(ac, be), hn::Add(a_c, b_e), hn::Sub(a_c, b_e), d, to + 4 * i);
  }
  for (; i < quarter; ++i) {
    const T a = scale * from[i], b = scale * from[i + quarter];
    const T c = scale * from[i + 2 * quarter], e = scale * from[i + 3 * quarter];
    to[4 * i] = (a + c) + (b + e);
    to[4 * i + 1] = (a + c) - (b + e);
    to[4 * i + 2] = (a - c) + (b - e);
    to[4 * i + 3] = (a - c) - (b - e);
  }
}

template <typename T>
HWY_INLINE void Transform(const T* HWY_RESTRICT x, int64_t n, T* HWY_RESTRICT scratch, T* HWY_RESTRICT y) {
  const int stages = __builtin_ctzll(static_cast<unsigned long long>(n)), passes = (stages + 1) / 2;
  if (passes == 0) y[0] = x[0];
  const T* from = x;
  T scale = T(1) / std::sqrt(static_cast<T>(n));
  for (int pass = 0; pass < passes; ++pass) {
    T* to = (passes - pass) % 2 == 1 ? y : scratch;  // So that the last pass writes y.
    if (pass == 0 && stages % 2 == 1) OneStage(from, n, scale, to);
    else TwoStages(from, n, scale, to);
    from = to;
    scale = T(1);
  }
}

void HadamardF32(const float* x, int64_t n, float* scratch, float* y) { Transform(x, n, scratch, y); }
void HadamardF64(const double* x, int64_t n, double* scratch, double* y) { Transform(x, n, scratch, y); }

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline {

HWY_EXPORT(HadamardF32);
HWY_EXPORT(HadamardF64);

void Hadamard(const float* x, int64_t n, float* scratch, float* y) {
  HWY_DYNAMIC_DISPATCH(HadamardF32)(x, n, scratch, y);
}
void Hadamard(const double* x, int64_t n, double* scratch, double* y) {
  HWY_DYNAMIC_DISPATCH(HadamardF64)(x, n, scratch, y);
}

}  // namespace ridgeline
#endif  // HWY_ONCE
