// SPDX-License-Identifier: Apache-2.0
// Physical limits: the bytes that work cannot but move, at the speed of a plain copy (a fake quantizer) or of reading
// (a new token, which needs every weight).
#pragma once

#include <cstdint>

#include "method/quantizer_spec.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {

// Read and written, of a number of x: of `x` bytes as it is quantized, and of `v` bytes as what follows computes in it.
struct NumberBytes {
  double x;
  double v;
};

// Forward: x is read and x_hat written.
double ForwardBytes(NumberBytes number);

// What the forward pass writes beside, and backward: that and v are read, and x where the gradient needs it, and dx is
// written; nothing where the gradient passes as it is. `features` are those of a row.
double BackwardBytes(const QuantizerSpec& spec, int64_t features, NumberBytes number);

// Bytes per second, read and written, of a matrix (rows, features) on LibTorch's threads; the best of many, as a limit
// should be. By a plain copy, and by a plain pass that leaves its numbers where they were.
double CopyBandwidth(int64_t rows, int64_t features, at::ScalarType type);
double InPlaceBandwidth(int64_t rows, int64_t features, at::ScalarType type);

// Bytes per second that LibTorch's threads read of what fits no cache; the best of many.
double ReadBandwidth();

}  // namespace ridgeline
