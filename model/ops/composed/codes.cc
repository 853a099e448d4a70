// SPDX-License-Identifier: Apache-2.0
// Rows of quantized weights to and from codes, by way of the host: a device that packs them itself overrides these.
#include "model/ops/composed/composed_ops.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {

void ComposedOperations::EncodeRows(const at::Tensor& x, const QuantizerSpec& spec,
                                    const std::optional<at::Tensor>& scales, at::Tensor& bytes) const {
  std::optional<at::Tensor> scales_on_host;
  if (scales) scales_on_host = scales->cpu();
  at::Tensor packed = at::empty(bytes.sizes(), at::kByte);
  CpuOps().EncodeRows(x.cpu(), spec, scales_on_host, packed);
  bytes.copy_(packed);
}

void ComposedOperations::DecodeRows(const at::Tensor& bytes, const QuantizerSpec& spec, at::Tensor& rows) const {
  at::Tensor decoded = at::empty(rows.sizes(), rows.scalar_type());
  CpuOps().DecodeRows(bytes.cpu(), spec, decoded);
  rows.copy_(decoded);
}

}  // namespace ridgeline
