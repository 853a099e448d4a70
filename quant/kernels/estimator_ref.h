// SPDX-License-Identifier: Apache-2.0
// For tests: the papers' definitions of estimators in plain C++, one block at a time in double, with nothing in common
// with the kernels, and their derivatives by central differences.
#pragma once

#include <vector>

#include "method/quantizer_spec.h"

namespace ridgeline {

// The block x dequantized, with what is detached held still as it is at `at`: the rounding noise, what pruning takes
// away, codes that are not trusted, and the grid of a spec that detaches it. REQUIRES: an estimator of the shared grids
// (EstimatorTraits::has_shared_grid), and a format of integers or ternary.
std::vector<double> Dequantize_ref(const QuantizerSpec& spec, const std::vector<double>& x,
                                   const std::vector<double>& at);

// d<v, x_hat>/dx by central differences of that.
std::vector<double> NumericalGradient_ref(const QuantizerSpec& spec, const std::vector<double>& x,
                                          const std::vector<double>& v);

}  // namespace ridgeline
