// SPDX-License-Identifier: Apache-2.0
// Rows as codes: where the parts of a packed tensor lie in the bytes that ranks send each other (Ops::EncodeRows).
#pragma once

#include <ATen/core/Tensor.h>

#include "quant/codes/packed_layout.h"

namespace ridgeline {

// Of rows (rows, columns), of which there is one. Throws c10::Error for a spec that has no codes, and for another
// number of bytes.
PackedLayout LayoutOfRows(const QuantizerSpec& spec, const at::Tensor& rows, const at::Tensor& bytes);

}  // namespace ridgeline
