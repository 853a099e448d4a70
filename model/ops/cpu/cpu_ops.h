// SPDX-License-Identifier: Apache-2.0
// The operations on the CPU: kernels of model/kernels and quant/kernels on LibTorch's threads.
#pragma once

#include "model/ops/ops.h"

namespace ridgeline {

class OpsOnCpu final : public Ops {
 public:
  const char* name() const override { return "cpu"; }
  bool cuts_rows() const override { return true; }

  RmsNormed RmsNorm(const at::Tensor& x, const at::Tensor& weight, double epsilon) const override;
  NormGradients RmsNormBackward(const at::Tensor& x, const at::Tensor& inverse_rms, const at::Tensor& weight,
                                const at::Tensor& g) const override;
  LayerNormed LayerNorm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                        double epsilon) const override;
  NormGradients LayerNormBackward(const at::Tensor& x, const at::Tensor& mean, const at::Tensor& rstd,
                                  const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& g) const override;
  at::Tensor Geglu(const at::Tensor& gate, const at::Tensor& up) const override;
  GegluGradients GegluBackward(const at::Tensor& gate, const at::Tensor& up, const at::Tensor& g) const override;
  at::Tensor Gelu(const at::Tensor& x, bool tanh) const override;
  at::Tensor Rotary(const at::Tensor& x, const at::Tensor& cosines, const at::Tensor& sines,
                    double direction) const override;
  at::Tensor Attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                       const std::optional<at::Tensor>& mask, bool is_causal, double scale) const override;

  at::Tensor Product(const at::Tensor& a, const at::Tensor& b) const override;
  void ProductInto(const at::Tensor& a, const at::Tensor& b, at::Tensor& out) const override;
  void AddProduct(const at::Tensor& a, const at::Tensor& b, at::Tensor& out) const override;

  void ScoreLogits(const at::Tensor& logits, const at::Tensor& targets, HeadSums* sums) const override;
  void LogitGradients(at::Tensor& logits, const at::Tensor& targets, double scale, HeadSums* sums) const override;
  void DistillGradients(at::Tensor& student, at::Tensor& teacher, double temperature, double scale,
                        HeadSums* sums) const override;

  at::Tensor FakeQuantize(at::Tensor x, const QuantizerSpec& spec) const override;
  void QuantizeInto(const at::Tensor& x, const QuantizerSpec& spec, at::Tensor& x_hat,
                    at::Tensor* saved) const override;
  void QuantizedGradient(const at::Tensor& x, const at::Tensor& saved, const at::Tensor& v, const QuantizerSpec& spec,
                         at::Tensor& dx) const override;
  double QuantErrorRatio(const at::Tensor& x, const QuantizerSpec& spec) const override;
  at::Tensor FakeQuantizeLearned(const at::Tensor& x, const at::Tensor& scale, const QuantizerSpec& spec,
                                 int64_t numbers) const override;
  LearnedQuantizerGradients LearnedGradients(const at::Tensor& x, const at::Tensor& v, const at::Tensor& scale,
                                             const QuantizerSpec& spec, int64_t numbers) const override;

  void Adamw(const rows::AdamwStep& step, AdamwTensors& tensors, NumberRange range) const override;
  void SumOfSquares(const at::Tensor& x, NumberRange range, at::Tensor& sums, int64_t place) const override;

  void EncodeRows(const at::Tensor& x, const QuantizerSpec& spec, const std::optional<at::Tensor>& scales,
                  at::Tensor& bytes) const override;
  void DecodeRows(const at::Tensor& bytes, const QuantizerSpec& spec, at::Tensor& rows) const override;
  void EncodeGradient(GradientDtype dtype, const at::Tensor& x, uint64_t seed, at::Tensor& wire) const override;
  void DecodeGradient(GradientDtype dtype, const at::Tensor& wire, Arrival arrival, at::Tensor& sum) const override;
};

}  // namespace ridgeline
