// SPDX-License-Identifier: Apache-2.0
// Levels to and from codes in LibTorch's operations, with the codes of quant/codes/code_book.h. No state; any thread.
#pragma once

#include <ATen/core/Tensor.h>

#include "method/quantizer_spec.h"
#include "quant/codes/code_book.h"

namespace ridgeline {

// float32 of any shape -> kByte: sign, exponent and mantissa. REQUIRES: each is a number of the element.
at::Tensor ElementCodes(const at::Tensor& levels, const FloatElement& element);

// float32 -> kByte. REQUIRES: levels of the book, which is the spec's, or 0; not BitMoD.
at::Tensor CodesOfLevels(const at::Tensor& levels, const QuantizerSpec& spec, const CodeBook& book);

// And back. `extras`, BitMoD's own level at each place, are undefined in other formats.
at::Tensor LevelsOfCodes(const at::Tensor& codes, const at::Tensor& extras, const CodeBook& book);

}  // namespace ridgeline
