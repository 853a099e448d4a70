// SPDX-License-Identifier: Apache-2.0
// Which block type of GGUF holds the codes of a quantized matrix as they are, so that llama.cpp computes with the very
// numbers that were trained (docs/formats.md#exact-images-in-gguf). No LibTorch, no kernels. Pure functions.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "model/blueprint/parameter_shape.h"
#include "model/blueprint/quantizers.h"
#include "weights/dtype.h"

namespace ridgeline {

// An element is level / step as a whole number, times scale * step, plus the offset.
struct GgufImage {
  Dtype dtype = Dtype::kQ8_0;
  float step = 1;  // A power of two, or minus one: two bits in two's complement are -2 .. 1, and in Q2_0 -1 .. 2.
};

// The image with the fewest bits of a matrix with rows of `features` numbers. INVALID_ARGUMENT says why there is none,
// and what the nearest quantizer that has one differs in; errors of PackedLayoutOf.
absl::StatusOr<GgufImage> GgufImageOf(const QuantizerSpec& spec, int64_t features);

// Bits of a number, with its share of scale and offset.
double BitsPerNumber(Dtype dtype);

// OK if each matrix that these quantize has an image; else the first that has none, by its name.
absl::Status CheckGgufImages(const ParameterList& network, const Quantizers& quantizers);

}  // namespace ridgeline
