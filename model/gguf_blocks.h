// SPDX-License-Identifier: Apache-2.0
// A packed matrix as the blocks of its image in GGUF (model/gguf_image.h). No LibTorch.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "model/gguf_image.h"
#include "quant/codes/packed_tensor.h"

namespace ridgeline {

// All rows, as blocks that decode to what DecodeRows gives, bit for bit but for the sign of a zero. INVALID_ARGUMENT
// names the row and the block whose scale is no number of the type (a half of a very small float16), or is NaN.
// REQUIRES: CheckPacked; `image` is GgufImageOf's for the layout.
absl::StatusOr<std::string> GgufBlocksOf(const PackedView& packed, const GgufImage& image);

}  // namespace ridgeline
