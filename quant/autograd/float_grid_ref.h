// SPDX-License-Identifier: Apache-2.0
// The plain twin of floating-point, MX, NV and BitMoD grids: levels from their table, scales by their rules as written.
#pragma once

#include <ATen/core/Tensor.h>

#include "method/quantizer_spec.h"

namespace ridgeline {

struct FloatGrid_ref {
  at::Tensor scale;  // (rows, 1)
  at::Tensor extra;  // (rows, 1): BitMoD's level of each block; undefined for other formats.
};

// x: (rows, block). Differentiable in x where the scale is not rounded. spec.tensor_max is set for NV formats.
FloatGrid_ref FloatGridOfBlocks_ref(const at::Tensor& x, const QuantizerSpec& spec);

// f: (rows, block) -> the nearest levels, as constants.
at::Tensor FloatCodes_ref(const at::Tensor& f, const FloatGrid_ref& grid, const QuantizerSpec& spec);

}  // namespace ridgeline
