// SPDX-License-Identifier: Apache-2.0
// Quantizers whose scale is a trained parameter (docs/methods.md#lsq-paretoq-post-asq). They differ from Estimator in
// one thing: the scale comes from outside, and a gradient goes back to it.
#pragma once

#include <cstdint>

#include "method/learned_levels.h"
#include "quant/kernels/numbers.h"

namespace ridgeline {

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
