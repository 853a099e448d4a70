// SPDX-License-Identifier: Apache-2.0
// For tests: the papers' definitions of estimators in plain C++, one block at a time in double, with nothing in common
// with the kernels, and their derivatives by central differences.
#pragma once

#include <vector>

#include "quant/spec/quant_spec.h"

namespace ridgeline {

// The block x dequantized, with what is detached held still as it is at `at`: the rounding noise, what pruning takes
// away, codes that are not trusted, and the grid of a spec that detaches it. The estimators are ridge, ridge_trust,
// ste, quest.
std::vector<double> Dequantize_ref(const QuantizerSpec& spec, const std::vector<double>& x,
                                   const std::vector<double>& at);

// d<v, x_hat>/dx by central differences of that.
std::vector<double> NumericalGradient_ref(const QuantizerSpec& spec, const std::vector<double>& x,
                                          const std::vector<double>& v);

}  // namespace ridgeline
