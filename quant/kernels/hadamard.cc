// SPDX-License-Identifier: Apache-2.0
// Each stage adds and subtracts the two halves and interleaves the results: a butterfly on the top bit of the index,
// which becomes the lowest. After log2(n) stages every bit has had its butterfly and is back in its place, and all
// stages had the same contiguous loads, which the compiler turns into full vectors.
#include "quant/kernels/hadamard.h"

#include <cmath>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/kernels/hadamard.cc"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

template <typename T>
HWY_INLINE void Stage(const T* HWY_RESTRICT from, int64_t half, T* HWY_RESTRICT to) {
#pragma omp simd
  for (int64_t i = 0; i < half; ++i) {
    to[2 * i] = from[i] + from[i + half];
    to[2 * i + 1] = from[i] - from[i + half];
  }
}

template <typename T>
HWY_INLINE void Transform(const T* x, int64_t n, T* scratch, T* y) {
  const int stages = __builtin_ctzll(static_cast<unsigned long long>(n));
  T* from = stages % 2 == 0 ? y : scratch;  // So that the last stage writes y.
  T* to = stages % 2 == 0 ? scratch : y;
  const T norm = T(1) / std::sqrt(static_cast<T>(n));
  for (int64_t i = 0; i < n; ++i) from[i] = x[i] * norm;
  for (int stage = 0; stage < stages; ++stage) {
    Stage(from, n / 2, to);
    std::swap(from, to);
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
