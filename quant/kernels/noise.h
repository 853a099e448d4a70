// SPDX-License-Identifier: Apache-2.0
// The noise that gaussws and diffq add to a block. It follows from the block's own numbers: their bits are the key of a
// counter-based generator. So every rank, and each second look at the same weights, sees the same noise, no state has
// to be carried or restored, and an optimizer step that moves any number of a block draws new noise for all of it.
#pragma once

#include <cstdint>

namespace ridgeline {

// noise: (n), round(N(0, 1) / 2): 0, or now and then +-1, seldom +-2 (docs/methods.md#gaussws-diffq).
void GaussianSamplingNoise(const float* x, int64_t n, float* noise);
void GaussianSamplingNoise(const double* x, int64_t n, double* noise);

// noise: (n), N(0, 1) / 2.
void DiffqNoise(const float* x, int64_t n, float* noise);
void DiffqNoise(const double* x, int64_t n, double* noise);

}  // namespace ridgeline
