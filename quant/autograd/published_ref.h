// SPDX-License-Identifier: Apache-2.0
// The plain twins of estimators that bring their own grid, as their papers and packages write them.
#pragma once

#include <ATen/core/Tensor.h>

#include "quant/spec/quant_spec.h"

namespace ridgeline {

// BitNet, the 1-bit adapter, torchao, Gaussian weight sampling and DiffQ.
bool HasPublishedGrid_ref(const QuantizerSpec& spec);

// x: (rows, block) -> (rows, block). REQUIRES: HasPublishedGrid_ref(spec).
at::Tensor QuantizeBlocksAsPublished_ref(const at::Tensor& x, const QuantizerSpec& spec);

}  // namespace ridgeline
