// SPDX-License-Identifier: Apache-2.0
#include "bench/product_limit.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/product_limit.cc"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

constexpr int64_t kRepeats = 200'000;

#if HWY_TARGET == HWY_SCALAR || !HWY_ARCH_X86
ProductPeaks PeaksOfTarget() { return {}; }
#else
// Keeps the compiler from knowing what is in a vector, and so from moving work out of the loop around it.
template <class V>
HWY_INLINE void Opaque(V& v) {
  asm volatile("" : "+x"(v.raw));
}

template <typename Work>
HWY_INLINE double BestSecondsOf(const Work& work) {
  using Clock = std::chrono::steady_clock;
  constexpr int kRounds = 15;
  std::chrono::duration<double> best = std::chrono::hours(1);
  for (int round = 0; round < kRounds; ++round) {
    const Clock::time_point begin = Clock::now();
    work();
    best = std::min<std::chrono::duration<double> >(best, Clock::now() - begin);
  }
  return best.count();
}

// Of additions step(operand, sum) to eight sums, enough for what each waits for; `products` in each.
template <typename V, typename Sum, typename Step>
HWY_INLINE double PeakOf(V operand, Sum zero, size_t products, const Step& step) {
  constexpr int kSums = 8;
  const double seconds = BestSecondsOf([&]() HWY_ATTR {
    Sum s0 = zero, s1 = zero, s2 = zero, s3 = zero, s4 = zero, s5 = zero, s6 = zero, s7 = zero;
    for (int64_t i = 0; i < kRepeats; ++i) {
      Opaque(operand);
      s0 = step(operand, s0), s1 = step(operand, s1), s2 = step(operand, s2), s3 = step(operand, s3);
      Opaque(operand);
      s4 = step(operand, s4), s5 = step(operand, s5), s6 = step(operand, s6), s7 = step(operand, s7);
      Opaque(s0), Opaque(s1), Opaque(s2), Opaque(s3), Opaque(s4), Opaque(s5), Opaque(s6), Opaque(s7);
    }
  });
  return static_cast<double>(kRepeats) * kSums * static_cast<double>(products) / seconds;
}

double PeakOfBytePairs() {
#if HWY_TARGET == HWY_AVX2
  const hn::ScalableTag<int16_t> d16;
  const auto x = hn::Set(d16, 0x0101);
  const auto step = [&](auto v, auto sum) HWY_ATTR {
    Opaque(v);
    return hn::Add(sum, decltype(sum){_mm256_maddubs_epi16(v.raw, x.raw)});
  };
  return PeakOf(hn::Set(d16, 0x0102), hn::Zero(d16), 2 * hn::Lanes(d16), step);
#else
  return 0;
#endif
}

ProductPeaks PeaksOfTarget() {
  const hn::ScalableTag<float> d;
  const hn::ScalableTag<int32_t> d32;
  const hn::ScalableTag<int16_t> d16;
  const hn::ScalableTag<uint8_t> d8;
  ProductPeaks peaks;
  const auto one = hn::Set(d, 1.0f);
  peaks.floats = PeakOf(hn::Set(d, 0.5f), hn::Zero(d), hn::Lanes(d),
                        [&](auto v, auto sum) HWY_ATTR { return hn::MulAdd(v, one, sum); });
  const auto x = hn::Set(d16, int16_t{3});
  peaks.int16_pairs = PeakOf(hn::Set(d16, int16_t{2}), hn::Zero(d32), hn::Lanes(d16), [&](auto v, auto sum) HWY_ATTR {
    Opaque(v);
    auto others = hn::Zero(d32);
    return hn::ReorderWidenMulAccumulate(d32, v, x, sum, others);
  });
  peaks.byte_pairs = PeakOfBytePairs();
  const auto bits = hn::Set(d8, uint8_t{0x5a});
  peaks.one_bit = PeakOf(hn::Set(d8, uint8_t{0x33}), hn::Zero(d8), 8 * hn::Lanes(d8), [&](auto v, auto sum) HWY_ATTR {
    Opaque(v);
    return hn::Add(sum, hn::PopulationCount(hn::Xor(v, bits)));
  });
  return peaks;
}
#endif

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline {

HWY_EXPORT(PeaksOfTarget);

ProductPeaks MeasureProductPeaks() { return HWY_DYNAMIC_DISPATCH(PeaksOfTarget)(); }

double MeasuredClock() {
#if HWY_ARCH_X86_64
  using Clock = std::chrono::steady_clock;
  constexpr int64_t kChain = 1'000'000, kCyclesOfOne = 3;
  constexpr int kRounds = 15;
  double best = 0;
  for (int round = 0; round < kRounds; ++round) {
    uint64_t number = 3;
    const Clock::time_point begin = Clock::now();
    for (int64_t i = 0; i < kChain; ++i) asm volatile("imulq %0, %0" : "+r"(number));
    const std::chrono::duration<double> seconds = Clock::now() - begin;
    best = std::max(best, static_cast<double>(kChain * kCyclesOfOne) / seconds.count());
  }
  return best;
#else
  return 0;
#endif
}

}  // namespace ridgeline
#endif  // HWY_ONCE
