// SPDX-License-Identifier: Apache-2.0
// Noise in place of rounding (docs/methods.md#gaussws-diffq), with a straight-through gradient; the block's statistics
// are never differentiated. spec.hard_rounding rounds instead, onto the grid whose step the noise has.
//   gaussws  x_hat = x + round(N(0, 1) / 2) s,  s = max |x| 2^(1 - b)           rounds to -2^(b-1) .. 2^(b-1) - 1
//   diffq    x_hat = x + N(0, 1) / 2 s,         s = (max x - min x) / (2^b - 1)  rounds to the affine minmax grid
#include "quant/kernels/noise.h"

#include <numbers>

#include "quant/kernels/kernel_table.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/kernels/noise.cc"
#include <hwy/foreach_target.h>

#include <hwy/contrib/math/math-inl.h>

#include "quant/kernels/block_estimator.h"
#include "quant/kernels/blockwise-inl.h"
#include "quant/kernels/grid-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

// A 32-bit mixer whose output bits each depend on all input bits: two multiplications, three shifts, and a key between.
HWY_INLINE uint32_t Mix(uint32_t h, uint32_t key = 0) {
  h = ((h ^ (h >> 16)) * UINT32_C(0x7FEB352D)) ^ key;
  h = (h ^ (h >> 15)) * UINT32_C(0x846CA68B);
  return h ^ (h >> 16);
}

HWY_INLINE uint32_t FoldedBits(float x) { return std::bit_cast<uint32_t>(x); }
HWY_INLINE uint32_t FoldedBits(double x) {
  const uint64_t bits = std::bit_cast<uint64_t>(x);
  return static_cast<uint32_t>(bits) ^ Mix(static_cast<uint32_t>(bits >> 32));
}

// Of a block: the sum and the exclusive or of its numbers' mixed bits.
struct NoiseKey {
  uint32_t sum;
  uint32_t parity;
};

template <typename T>
HWY_INLINE NoiseKey KeyOf(const T* HWY_RESTRICT x, int64_t n) {
  uint32_t sum = 0, parity = 0;
#pragma omp simd reduction(+ : sum) reduction(^ : parity)
  for (int64_t i = 0; i < n; ++i) {
    const uint32_t h = Mix(FoldedBits(x[i]) + static_cast<uint32_t>(i) * UINT32_C(0x9E3779B9));
    sum += h;
    parity ^= h;
  }
  return {sum, parity};
}

HWY_INLINE uint32_t Draw(NoiseKey key, uint32_t counter) { return Mix(counter + key.sum, key.parity); }

// 2^31 times the probability that |round(N / 2)| is at least 1, 2, 3: |N| beyond 1, 3, 5.
constexpr uint32_t kAtLeastOne = 681419127, kAtLeastTwo = 5797768, kAtLeastThree = 1231;

HWY_INLINE float SampledStep(uint32_t draw) {
  const uint32_t u = draw >> 1;
  const float size =
      static_cast<float>(u < kAtLeastOne) + static_cast<float>(u < kAtLeastTwo) + static_cast<float>(u < kAtLeastThree);
  return (draw & 1) != 0 ? -size : size;
}

template <typename T>
HWY_INLINE void SampledNoise(const T* HWY_RESTRICT x, int64_t n, T* HWY_RESTRICT noise) {
  const NoiseKey key = KeyOf(x, n);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) noise[i] = static_cast<T>(SampledStep(Draw(key, static_cast<uint32_t>(i))));
}

constexpr int64_t kPairsAtOnce = 32, kNormalsAtOnce = 2 * kPairsAtOnce;

// Numbers first .. first + kNormalsAtOnce - 1 of N(0, 1) / 2: Box and Muller's transform makes two of two draws,
// halved.
HWY_INLINE void HalfNormals(NoiseKey key, uint32_t first, float* HWY_RESTRICT normals) {
  float *HWY_RESTRICT sizes = normals, *HWY_RESTRICT turns = normals + kPairsAtOnce;
#pragma omp simd
  for (int64_t i = 0; i < kPairsAtOnce; ++i) {
    const uint32_t counter = first + 2 * static_cast<uint32_t>(i);
    sizes[i] = (static_cast<float>(static_cast<int32_t>(Draw(key, counter) >> 8)) + 0.5f) * 0x1p-24f;
    turns[i] = static_cast<float>(static_cast<int32_t>(Draw(key, counter + 1) >> 8)) * 0x1p-24f;
  }
  ForEachVector<float>(kPairsAtOnce, [&](auto d, int64_t i) HWY_ATTR {
    const auto radius = hn::Sqrt(hn::Mul(hn::Set(d, -0.5f), hn::Log(d, hn::LoadU(d, sizes + i))));
    const auto angle = hn::Mul(hn::Set(d, 2 * std::numbers::pi_v<float>), hn::LoadU(d, turns + i));
    hn::StoreU(hn::Mul(radius, hn::Cos(d, angle)), d, sizes + i);
    hn::StoreU(hn::Mul(radius, hn::Sin(d, angle)), d, turns + i);
  });
}

template <typename T>
HWY_INLINE void HalfNormalNoise(const T* HWY_RESTRICT x, int64_t n, T* HWY_RESTRICT noise) {
  const NoiseKey key = KeyOf(x, n);
  HWY_ALIGN float normals[kNormalsAtOnce];
  for (int64_t begin = 0; begin < n; begin += kNormalsAtOnce) {
    HalfNormals(key, static_cast<uint32_t>(begin), normals);
    for (int64_t i = 0; i < Min(kNormalsAtOnce, n - begin); ++i) noise[begin + i] = static_cast<T>(normals[i]);
  }
}

template <typename T>
HWY_INLINE void AddNoise(const T* HWY_RESTRICT x, const T* HWY_RESTRICT noise, int64_t n, T step,
                         T* HWY_RESTRICT x_hat) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) x_hat[i] = x[i] + noise[i] * step;
}

template <typename T>
HWY_INLINE void GaussWsForward(const ResolvedSpec& spec, NothingMeasured, const Block<T>& block,
                               T* HWY_RESTRICT x_hat) {
  const T* HWY_RESTRICT x = block.x;
  T* HWY_RESTRICT workspace = block.workspace;
  const int64_t n = block.n;
  if (!IsFinite(x, n)) return ReproduceBlock(spec, block, x_hat);  // As NaN.
  const T half = static_cast<T>(1 << (IntegerBits(spec.format) - 1)), step = MaxAbs(x, n) / half;
  const T inverse = InverseOrZero(step);
  if (inverse == T(0)) return spec.hard_rounding ? ReproduceBlock(spec, block, x_hat) : Copy(x, n, x_hat);
  if (!spec.hard_rounding) {
    SampledNoise(x, n, workspace);
    return AddNoise(x, workspace, n, step, x_hat);
  }
  const LevelMap<T> map = MapOf(spec, block, step, T(0));
#pragma omp simd
  for (int64_t i = 0; i < n; ++i)
    x_hat[i] = Min(Max(RoundHalfToEven(x[i] * inverse), -half), half - T(1)) * map.scale + map.offset;
}

template <typename T>
HWY_INLINE void DiffqForward(const ResolvedSpec& spec, NothingMeasured, const Block<T>& block, T* HWY_RESTRICT x_hat) {
  const T* HWY_RESTRICT x = block.x;
  T* HWY_RESTRICT workspace = block.workspace;
  const int64_t n = block.n;
  if (!IsFinite(x, n)) return ReproduceBlock(spec, block, x_hat);  // As NaN.
  const Grid<T> grid = AffineGrid(x, n, IntegerBits(spec.format));
  if (grid.inverse_scale == T(0)) return spec.hard_rounding ? ReproduceBlock(spec, block, x_hat) : Copy(x, n, x_hat);
  if (!spec.hard_rounding) {
    HalfNormalNoise(x, n, workspace);
    return AddNoise(x, workspace, n, grid.scale, x_hat);
  }
  Encode(grid, x, n, workspace);
  const LevelMap<T> map = MapOf(spec, block, grid.scale, grid.offset);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) x_hat[i] = workspace[i] * map.scale + map.offset;
}

template <typename T>
HWY_INLINE void NoiseBackward(const ResolvedSpec&, NothingMeasured, const Block<T>& block, const T* v, T* dx) {
  Copy(v, block.n, dx);
}

RIDGELINE_BLOCK_FUNCTIONS(GaussWs, MeasureNothing, GaussWsForward, NoiseBackward)
RIDGELINE_BLOCK_FUNCTIONS(Diffq, MeasureNothing, DiffqForward, NoiseBackward)

void SampledNoiseF32(const float* x, int64_t n, float* noise) { SampledNoise(x, n, noise); }
void SampledNoiseF64(const double* x, int64_t n, double* noise) { SampledNoise(x, n, noise); }
void HalfNormalNoiseF32(const float* x, int64_t n, float* noise) { HalfNormalNoise(x, n, noise); }
void HalfNormalNoiseF64(const double* x, int64_t n, double* noise) { HalfNormalNoise(x, n, noise); }

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline {

RIDGELINE_BLOCK_ESTIMATOR(GaussWs)
RIDGELINE_BLOCK_ESTIMATOR(Diffq)

HWY_EXPORT(SampledNoiseF32);
HWY_EXPORT(SampledNoiseF64);
HWY_EXPORT(HalfNormalNoiseF32);
HWY_EXPORT(HalfNormalNoiseF64);

void GaussianSamplingNoise(const float* x, int64_t n, float* noise) {
  HWY_DYNAMIC_DISPATCH(SampledNoiseF32)(x, n, noise);
}
void GaussianSamplingNoise(const double* x, int64_t n, double* noise) {
  HWY_DYNAMIC_DISPATCH(SampledNoiseF64)(x, n, noise);
}
void DiffqNoise(const float* x, int64_t n, float* noise) { HWY_DYNAMIC_DISPATCH(HalfNormalNoiseF32)(x, n, noise); }
void DiffqNoise(const double* x, int64_t n, double* noise) { HWY_DYNAMIC_DISPATCH(HalfNormalNoiseF64)(x, n, noise); }

}  // namespace ridgeline
#endif  // HWY_ONCE
