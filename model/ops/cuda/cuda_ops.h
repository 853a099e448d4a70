// SPDX-License-Identifier: Apache-2.0
// The operations on a CUDA device: composed ones (composed_ops.h), but for what has something faster: quantizers whose
// blocks quant/cuda's kernels take, LibTorch's own attention and layer norm. In builds with RIDGELINE_CUDA.
#pragma once

#include "model/ops/composed/composed_ops.h"

namespace ridgeline {

class OpsOnCuda final : public ComposedOperations {
 public:
  const char* name() const override { return "cuda"; }

  LayerNormed LayerNorm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                        double epsilon) const override;
  NormGradients LayerNormBackward(const at::Tensor& x, const at::Tensor& mean, const at::Tensor& rstd,
                                  const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& g) const override;
  at::Tensor Gelu(const at::Tensor& x, bool tanh) const override;
  at::Tensor Attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                       const std::optional<at::Tensor>& mask, bool is_causal, double scale) const override;

 protected:
  at::Tensor Quantized(const at::Tensor& x, const QuantizerSpec& spec, at::ScalarType out) const override;
  at::Tensor GradientOf(const at::Tensor& x, const at::Tensor& v, const QuantizerSpec& spec) const override;
};

}  // namespace ridgeline
