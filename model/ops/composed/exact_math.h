// SPDX-License-Identifier: Apache-2.0
// Arithmetic in LibTorch's operations whose bits are those of the CPU's kernels on any device, also on one without data
// (meta). Tensors broadcast. No state; any thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "method/format.h"

namespace ridgeline {

// |x| of float32.
at::Tensor SizesOf(const at::Tensor& x);

// a where the condition holds, else b. A zero comes without a sign.
at::Tensor Select(const at::Tensor& condition, const at::Tensor& a, const at::Tensor& b);

// x / by. A CUDA device multiplies by the inverse of a scalar.
at::Tensor Divided(const at::Tensor& x, double by);

// a b + c of float32, rounded once.
at::Tensor FusedMultiplyAdd(const at::Tensor& a, const at::Tensor& b, const at::Tensor& c);

// The nearest float16, ties to even, of those beyond the largest that, and never -0; NaN stays NaN. As float32.
at::Tensor RoundedToFloat16(const at::Tensor& x);

// 2^floor(log2 x) of normal numbers x > 0; 0 for smaller ones.
at::Tensor PowerOfTwoBelow(const at::Tensor& x);

// The nearest number of an element, ties to even. REQUIRES: 0 <= x <= the element's largest.
at::Tensor RoundedToElement(const FloatElement& element, const at::Tensor& x);

// Of int64, as of numbers without sign.
at::Tensor ShiftedRight(const at::Tensor& x, int bits);
// x / by, rounded down. REQUIRES: 2 <= by < 2^62.
at::Tensor DividedUnsigned(const at::Tensor& x, int64_t by);

// A mixer of 64 bits.
at::Tensor Mixed(const at::Tensor& h);

// table[index], on the index's device. index: int64.
at::Tensor LookedUp(const std::vector<float>& table, const at::Tensor& index);
at::Tensor LookedUp(const std::vector<int64_t>& table, const at::Tensor& index);

// H x of rows (blocks, n), H normalised. REQUIRES: n is a power of two.
at::Tensor HadamardOfRows(const at::Tensor& x);
// HadamardSign (method/hadamard_sign.h) of places 0 .. features - 1: (features) float32.
at::Tensor HadamardSigns(int64_t features, const at::Device& device);

}  // namespace ridgeline
