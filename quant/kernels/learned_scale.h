// SPDX-License-Identifier: Apache-2.0
// Quantizers whose scale is a trained parameter: lsq (METHODS A2), paretoq (A6), post and asq (A9). They differ from
// Estimator in one thing: the scale comes from outside, and a gradient goes back to it.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "quant/kernels/numbers.h"
#include "quant/spec/quant_spec.h"

namespace ridgeline {

// With f = x / scale, clamped to [-reach, reach] and rounded to a level; x_hat = scale level.
enum class LevelKind {
  kUniform,          // Integers from lowest to highest.
  kSign,             // -1 and +1; sign(0) = +1.
  kStretched,        // ParetoQ's SEQ: (round(f n - shift) + shift) / n within +-0.99.
  kPowersOfRootTwo,  // POST: 0 and +-2^(-k/2), k = 0 .. highest - 1, nearest in f itself.
};

struct LearnedLevels {
  LevelKind kind = LevelKind::kUniform;
  double lowest = 0;
  double highest = 0;
  double n = 1;           // kStretched
  double shift = 0;       // kStretched
  double gradient_q = 1;  // Q_P in the factor 1 / sqrt(numbers Q_P) on the scale's gradient.
};

// By estimator and format:
//   lsq, asq intB above 1: -2^(B-1) .. 2^(B-1) - 1. int1: signs. ternary: -1, 0, 1
//   paretoq  int1: signs. ternary: stretched to 0, +-2/3. int2: stretched to +-1/4, +-3/4. int3, int4: as lsq
//   post     int2 to int8: 0 and +-2^(-k/2), k = 0 .. 2^(B-1) - 2
// INVALID_ARGUMENT names what an estimator has instead.
absl::StatusOr<LearnedLevels> LearnedLevelsOf(const QuantizerSpec& spec);

// No scale is smaller.
inline constexpr double kSmallestLearnedScale = 1e-5;

// x: (rows, features); scale: (rows); x_hat: (rows, features). Stateless and thread-safe, one pass, no allocation;
// BFloat16 is computed in float. A row with a NaN or an infinity becomes NaN. REQUIRES: scale[r] >=
// kSmallestLearnedScale.
void LearnedScaleForward(const LearnedLevels& levels, const float* x, const float* scale, int64_t rows,
                         int64_t features, float* x_hat);
void LearnedScaleForward(const LearnedLevels& levels, const double* x, const double* scale, int64_t rows,
                         int64_t features, double* x_hat);
void LearnedScaleForward(const LearnedLevels& levels, const BFloat16* x, const float* scale, int64_t rows,
                         int64_t features, BFloat16* x_hat);

// From v = dL/dx_hat: dx = v where f was not clamped, else 0; d_scale[r] = sum over the row of v (level - f) where f
// was not clamped, v level where it was, and v level throughout for signs.
void LearnedScaleBackward(const LearnedLevels& levels, const float* x, const float* v, const float* scale, int64_t rows,
                          int64_t features, float* dx, float* d_scale);
void LearnedScaleBackward(const LearnedLevels& levels, const double* x, const double* v, const double* scale,
                          int64_t rows, int64_t features, double* dx, double* d_scale);
void LearnedScaleBackward(const LearnedLevels& levels, const BFloat16* x, const BFloat16* v, const float* scale,
                          int64_t rows, int64_t features, BFloat16* dx, float* d_scale);

}  // namespace ridgeline
