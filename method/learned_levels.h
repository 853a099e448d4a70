// SPDX-License-Identifier: Apache-2.0
// The levels of quantizers whose scale is a trained parameter, as plain numbers (docs/methods.md#lsq-paretoq-post-asq).
#pragma once

#include "absl/status/statusor.h"
#include "method/quantizer_spec.h"

namespace ridgeline {

// With f = x / scale, clamped to [-reach, reach] and rounded to a level; x_hat = scale level.
enum class LevelKind {
  kUniform,          // Integers from lowest to highest.
  kSign,             // -1 and +1; sign(0) = +1.
  kStretched,        // ParetoQ's SEQ: (round(f n - shift) + shift) / n within +-0.99.
  kPowersOfRootTwo,  // POST: 0 and +-2^(-k/2), k = 0 .. highest - 1, nearest in f itself.
};

// Where a weight's scale starts, by its numbers: mean |x|, 2 mean |x| / sqrt(gradient_q), or the outermost level at
// max |x|.
enum class ScaleStart { kMeanAbs, kTwiceMeanAbs, kMaxAbs };

struct LearnedLevels {
  LevelKind kind = LevelKind::kUniform;
  double lowest = 0;
  double highest = 0;
  double n = 1;           // kStretched
  double shift = 0;       // kStretched
  double gradient_q = 1;  // Q_P in the factor 1 / sqrt(numbers Q_P) on the scale's gradient.
  ScaleStart start = ScaleStart::kMaxAbs;
  double outermost = 1;  // kMaxAbs: the level that stands at max |x|.
};

// By format:
//   lsq      intB above 1: -2^(B-1) .. 2^(B-1) - 1. int1: signs. ternary: -1, 0, 1
//   paretoq  int1: signs. ternary: stretched to 0, +-2/3. int2: stretched to +-1/4, +-3/4. int3, int4: as lsq
//   post     int2 to int8: 0 and +-2^(-k/2), k = 0 .. 2^(B-1) - 2
// REQUIRES: a format that is named here.
LearnedLevels LsqLevels(Format format);
LearnedLevels ParetoqLevels(Format format);
LearnedLevels PostLevels(Format format);

// Those of the spec's estimator. INVALID_ARGUMENT names what an estimator has instead.
absl::StatusOr<LearnedLevels> LearnedLevelsOf(const QuantizerSpec& spec);

}  // namespace ridgeline
