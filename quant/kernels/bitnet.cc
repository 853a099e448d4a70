// SPDX-License-Identifier: Apache-2.0
// BitNet (docs/methods.md#bitnet_b1-bitnet-bitnet_reloaded): b1 with centred signs, b1.58 with ternary codes at the
// mean of |x|, Reloaded at its median, and the int8 activations that go with them. Every gradient is straight through,
// without a clip.
//   b1        x_hat = sign(x - mean x) mean |x|
//   b1.58     x_hat = s clamp(round(x / s), -1, 1),  s = max(mean |x|, 1e-5)
//   Reloaded  the same with the lower median of |x|
//   int8      x_hat = s clamp(round(x / s), -128, 127),  s = max(max |x|, 1e-5) / 127, in Reloaded / 128
#include <bit>
#include <limits>
#include <type_traits>

#include "quant/kernels/kernel_table.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/kernels/bitnet.cc"
#include <hwy/foreach_target.h>

#include "quant/kernels/block_estimator.h"
#include "quant/kernels/blockwise-inl.h"
#include "quant/kernels/grid-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

template <typename T>
HWY_INLINE T AtLeastSmallestMeasure(T measure) {
  return Max(measure, static_cast<T>(1e-5));
}

template <typename T>
HWY_INLINE int64_t CountBelow(const T* x, int64_t n, T limit) {
  size_t count = 0;
  ForEachVector<T>(n, [&](auto d, int64_t i)
                          HWY_ATTR { count += hn::CountTrue(d, hn::Lt(hn::LoadU(d, x + i), hn::Set(d, limit))); });
  return static_cast<int64_t>(count);
}

// Infinity if there is none.
template <typename T>
HWY_INLINE T SmallestNotBelow(const T* x, int64_t n, T limit) {
  const hn::ScalableTag<T> d;
  const auto none = hn::Set(d, std::numeric_limits<T>::infinity());
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  auto smallest = none;
  T rest = std::numeric_limits<T>::infinity();
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto numbers = hn::LoadU(d, x + i);
    smallest = hn::Min(smallest, hn::IfThenElse(hn::Lt(numbers, hn::Set(d, limit)), none, numbers));
  }
  for (; i < n; ++i)
    if (x[i] >= limit) rest = Min(rest, x[i]);
  return Min(rest, hn::GetLane(hn::MinOfLanes(d, smallest)));
}

// The number that `rank` numbers sort before, about half of them. Limits are tried until exactly that many are below
// one of them: first where the median of sizes of Gaussian numbers is, and as far from there as their density suggests;
// then, bit by bit, halves of what is left. Numbers without a sign are ordered like their bits, so that ties end there,
// too.
template <typename T>
HWY_INLINE T NumberOfRank(const T* HWY_RESTRICT sizes, int64_t n, int64_t rank, T mean) {
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  constexpr int kGaussianTries = 6;
  constexpr T kMedian = T(0.845), kDensity = T(0.507);  // The median of |N(0, 1)| and the density there, in means.
  const T per_number = mean / (kDensity * static_cast<T>(n));
  Bits low = 0, high = std::bit_cast<Bits>(std::numeric_limits<T>::infinity());  // [low, high) has it.
  T limit = kMedian * mean;
  for (int tries = 0; high - low > 1; ++tries) {
    Bits middle = std::bit_cast<Bits>(limit);
    if (tries >= kGaussianTries || middle <= low || middle >= high) middle = low + (high - low) / 2;
    limit = std::bit_cast<T>(middle);
    const int64_t below = CountBelow(sizes, n, limit);
    if (below == rank) return SmallestNotBelow(sizes, n, limit);
    (below < rank ? low : high) = middle;
    limit += (static_cast<T>(rank - below) + T(0.5)) * per_number;
  }
  return std::bit_cast<T>(low);
}

// sizes = |x|; returns their sum.
template <typename T>
HWY_INLINE T StoreSizes(const T* HWY_RESTRICT x, int64_t n, T* HWY_RESTRICT sizes) {
  T sum[1];
  SumVectors(n, sum, [&](auto d, int64_t i, auto& sums) HWY_ATTR {
    const auto size = hn::Abs(hn::LoadU(d, x + i));
    hn::StoreU(size, d, sizes + i);
    sums[0] = hn::Add(sums[0], size);
  });
  return sum[0];
}

// What a block is rounded with. Not a number where one of the block is not finite: x_hat then is not either.
template <typename T>
struct BitnetScale {
  T scale;
  T mean;  // That b1 centres its signs by.
};

template <typename T>
HWY_INLINE BitnetScale<T> ScaleOf(const Block<T>& block, T measure) {
  return {IsFinite(block.x, block.n) ? measure : static_cast<T>(__builtin_nan("")), T(0)};
}

// The same from the sum of |x|, which tells of numbers that are not finite.
template <typename T>
HWY_INLINE BitnetScale<T> ScaleOf(const Block<T>& block, T sum_of_sizes, T measure) {
  if (HWY_LIKELY(sum_of_sizes < std::numeric_limits<T>::infinity())) return {measure, T(0)};
  return ScaleOf(block, measure);
}

template <typename T>
HWY_INLINE T Int8Measure(const Block<T>& block, T divisor) {
  return AtLeastSmallestMeasure(MaxAbs(block.x, block.n)) / divisor;
}

template <typename T>
HWY_INLINE BitnetScale<T> MeasureBitnet(const ResolvedSpec& spec, const Block<T>& block) {
  if (spec.format == Format::kInt8) return ScaleOf(block, Int8Measure(block, T(127)));
  const T sum = SumAbs(block.x, block.n);
  return ScaleOf(block, sum, AtLeastSmallestMeasure(sum / static_cast<T>(block.n)));
}

// The median of an even count is the lower of the two in the middle.
template <typename T>
HWY_INLINE BitnetScale<T> MeasureBitnetReloaded(const ResolvedSpec& spec, const Block<T>& block) {
  if (spec.format == Format::kInt8) return ScaleOf(block, Int8Measure(block, T(128)));
  const int64_t n = block.n;
  const T sum = StoreSizes(block.x, n, block.workspace);
  const T median = NumberOfRank(block.workspace, n, (n - 1) / 2, sum / static_cast<T>(n));
  return ScaleOf(block, sum, AtLeastSmallestMeasure(median));
}

template <typename T>
HWY_INLINE BitnetScale<T> MeasureBitnetB1(const ResolvedSpec& spec, const Block<T>& block) {
  if (spec.format == Format::kInt8) return MeasureBitnet(spec, block);
  T sums[2];  // Of x and of |x|.
  SumVectors(block.n, sums, [&](auto d, int64_t i, auto& sum) HWY_ATTR {
    const auto x = hn::LoadU(d, block.x + i);
    sum[0] = hn::Add(sum[0], x);
    sum[1] = hn::Add(sum[1], hn::Abs(x));
  });
  const T inverse = T(1) / static_cast<T>(block.n);
  BitnetScale<T> measured = ScaleOf(block, sums[1], sums[1] * inverse);
  measured.mean = sums[0] * inverse;
  return measured;
}

template <typename T>
HWY_INLINE void BitnetForward(const ResolvedSpec& spec, const BitnetScale<T>& measured, const Block<T>& block,
                              T* HWY_RESTRICT x_hat) {
  const bool is_int8 = spec.format == Format::kInt8;
  const T lowest = is_int8 ? T(-128) : T(-1), highest = is_int8 ? T(127) : T(1);
  const T inverse = T(1) / measured.scale;
  const LevelMap<T> map = MapOf(spec, block, measured.scale, T(0));
  const T* HWY_RESTRICT x = block.x;
#pragma omp simd
  for (int64_t i = 0; i < block.n; ++i)
    x_hat[i] = Min(Max(RoundHalfToEven(x[i] * inverse), lowest), highest) * map.scale + map.offset;
}

template <typename T>
HWY_INLINE void BitnetB1Forward(const ResolvedSpec& spec, const BitnetScale<T>& measured, const Block<T>& block,
                                T* HWY_RESTRICT x_hat) {
  if (spec.format == Format::kInt8) return BitnetForward(spec, measured, block, x_hat);
  const T level = MapOf(spec, block, measured.scale, T(0)).scale, mean = measured.mean;
  const T* HWY_RESTRICT x = block.x;
#pragma omp simd
  for (int64_t i = 0; i < block.n; ++i) x_hat[i] = (x[i] < mean ? -level : level) + T(0);  // No -0.
}

template <typename T>
HWY_INLINE void BitnetBackward(const ResolvedSpec&, const BitnetScale<T>&, const Block<T>& block, const T* v, T* dx) {
  Copy(v, block.n, dx);
}

RIDGELINE_BLOCK_FUNCTIONS(BitnetB1, MeasureBitnetB1, BitnetB1Forward, BitnetBackward)
RIDGELINE_BLOCK_FUNCTIONS(Bitnet, MeasureBitnet, BitnetForward, BitnetBackward)
RIDGELINE_BLOCK_FUNCTIONS(BitnetReloaded, MeasureBitnetReloaded, BitnetForward, BitnetBackward)

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline {
RIDGELINE_BLOCK_ESTIMATOR(BitnetB1)
RIDGELINE_BLOCK_ESTIMATOR(Bitnet)
RIDGELINE_BLOCK_ESTIMATOR(BitnetReloaded)
}  // namespace ridgeline
#endif  // HWY_ONCE
