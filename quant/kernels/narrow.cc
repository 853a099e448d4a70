// SPDX-License-Identifier: Apache-2.0
#include "quant/kernels/narrow.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/kernels/narrow.cc"
#include <hwy/foreach_target.h>

#include "quant/kernels/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

void NarrowByIntegers(const float* from, int64_t n, BFloat16* to) { ConvertNumbers<float>(from, n, to); }

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <cstring>
#include <vector>

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#endif

namespace ridgeline {

HWY_EXPORT(NarrowByIntegers);

namespace {

void ByIntegers(const float* from, int64_t n, BFloat16* to) { HWY_DYNAMIC_DISPATCH(NarrowByIntegers)(from, n, to); }

#if defined(__x86_64__) && defined(__GNUC__)
constexpr int64_t kLanes = 16;
constexpr int kSubnormal = 0x20;  // A class of vfpclass.

// The instruction takes them for zeros.
void NarrowSubnormals(const float* from, int64_t n, BFloat16* to) {
  for (int64_t i = 0; i < n; ++i) {
    uint32_t bits;
    std::memcpy(&bits, from + i, sizeof bits);
    if ((bits & 0x7F800000u) == 0) to[i].bits = static_cast<uint16_t>((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
  }
}

// Highway has no function for this instruction alone.
__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16"))) void ByAvx512Bf16(const float* from, int64_t n,
                                                                                           BFloat16* to) {
  __mmask16 subnormal = 0;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const __m512 numbers = _mm512_loadu_ps(from + i);
    subnormal = _kor_mask16(subnormal, _mm512_fpclass_ps_mask(numbers, kSubnormal));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i), (__m256i)_mm512_cvtneps_pbh(numbers));
  }
  if (i < n) {
    const auto rest = static_cast<__mmask16>((1u << (n - i)) - 1);
    const __m512 numbers = _mm512_maskz_loadu_ps(rest, from + i);
    subnormal = _kor_mask16(subnormal, _mm512_fpclass_ps_mask(numbers, kSubnormal));
    _mm256_mask_storeu_epi16(to + i, rest, (__m256i)_mm512_cvtneps_pbh(numbers));
  }
  if (subnormal != 0) NarrowSubnormals(from, n, to);
}

bool HasAvx512Bf16() {
  return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

std::vector<NarrowFunction> FunctionsOfThisMachine() {
  std::vector<NarrowFunction> functions;
#if defined(__x86_64__) && defined(__GNUC__)
  if (HasAvx512Bf16()) functions.push_back(&ByAvx512Bf16);
#endif
  functions.push_back(&ByIntegers);
  return functions;
}

}  // namespace

std::span<const NarrowFunction> NarrowFunctions() {
  static const std::vector<NarrowFunction> functions = FunctionsOfThisMachine();
  return functions;
}

}  // namespace ridgeline

#endif  // HWY_ONCE
