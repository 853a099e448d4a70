// SPDX-License-Identifier: Apache-2.0
// For tests: every combination that the CUDA kernels cover, and matrices for it. No other library's headers, so that
// .cu files may include it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "quant/cuda/block_params.h"

namespace ridgeline {
struct QuantizerSpec;
}

namespace ridgeline::cuda {

// Estimators by their names in recipes; "none" prunes only.
std::vector<std::string> CoveredEstimators();

// Of one estimator: formats, schemes, grids, gradients, Hadamard, patterns, each with blocks of several lengths.
std::vector<QuantizerSpec> CoveredSpecs(const std::string& estimator);

// A spec ready for the kernels, on a matrix of a few rows: whole blocks, and a tail where the spec allows one.
struct Case {
  std::string name;
  BlockParams params;
  int64_t rows = 0;
  int64_t features = 0;
};
Case CaseOf(const QuantizerSpec& spec);
std::vector<Case> EveryCase();

// Representative ones on a matrix of 64 Mi numbers, to be timed.
std::vector<Case> TimedCases();

// What EveryCase covers, as lines of text: a count for each estimator, and the formats, blocks and patterns.
std::string CoverageText();

// Gaussian numbers about 0.3, the same on every machine.
std::vector<float> RandomNumbers(int64_t count, unsigned seed);

// The same, with a first block that is in trouble, seed % kTroubles of: zero, constant, denormal twice, huge, the
// largest float; one number that is huge twice, the largest float, NaN, an infinity of either sign; numbers whose
// squares overflow.
inline constexpr unsigned kTroubles = 13;
std::vector<float> TroubledNumbers(const Case& of, unsigned seed);

}  // namespace ridgeline::cuda
