// SPDX-License-Identifier: Apache-2.0
// What MX and NV blocks lose of Gaussian numbers, in closed form (docs/methods.md#formats, arXiv 2510.25602), and below
// which crest factor integers lose less than floating-point numbers.
#pragma once

#include "method/format.h"

namespace ridgeline {

// The quantization signal-to-noise ratio, -10 log10(|x - x_hat|^2 / |x|^2), in decibels, of Gaussian numbers in blocks
// whose crest factor is max |x| / sigma. A scale in powers of two (blocks of 32) is taken to be 1.5 times too large,
// the middle between right and twice that; one in E4M3 (blocks of 16) to be right, and so the largest number to be
// exact. REQUIRES: crest_factor > 0, and a scale in one of these two encodings.
double IntegerQsnrDb(int bits, ScaleEncoding scale, double crest_factor);
double FloatQsnrDb(const FloatElement& element, ScaleEncoding scale, double crest_factor);

// The crest factor below which integers have the higher ratio. REQUIRES: each is ahead somewhere between 1 and 40.
double CrestFactorCrossover(int bits, const FloatElement& element, ScaleEncoding scale);

}  // namespace ridgeline
