// SPDX-License-Identifier: Apache-2.0
#include "model/ops/row_layout.h"

#include <string>
#include <utility>

#include "quant/autograd/torch_pch.h"

namespace ridgeline {

PackedLayout LayoutOfRows(const QuantizerSpec& spec, const at::Tensor& rows, const at::Tensor& bytes) {
  absl::StatusOr<PackedLayout> layout = PackedLayoutOf(spec, rows.size(0), rows.size(1));
  TORCH_CHECK(layout.ok(), std::string(layout.status().message()));
  TORCH_CHECK(bytes.numel() == layout->total_bytes(), "rows of ", layout->total_bytes(), " bytes in ", bytes.numel());
  return *std::move(layout);
}

}  // namespace ridgeline
