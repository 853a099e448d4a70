// SPDX-License-Identifier: Apache-2.0
// Quantizers and the optimizer's numbers.
#include "model/ops/cpu/cpu_ops.h"
#include "model/ops/cpu/row_threads.h"
#include "quant/autograd/fake_quantize.h"
#include "quant/autograd/learned_scale.h"

namespace ridgeline {

at::Tensor OpsOnCpu::FakeQuantize(at::Tensor x, const QuantizerSpec& spec) const {
  return ridgeline::FakeQuantize(std::move(x), spec);
}

void OpsOnCpu::QuantizeInto(const at::Tensor& x, const QuantizerSpec& spec, at::Tensor& x_hat,
                            at::Tensor* saved) const {
  ridgeline::QuantizeInto(x, spec, x_hat, saved);
}

void OpsOnCpu::QuantizedGradient(const at::Tensor& x, const at::Tensor& saved, const at::Tensor& v,
                                 const QuantizerSpec& spec, at::Tensor& dx) const {
  ridgeline::QuantizedGradient(x, saved, v, spec, dx);
}

double OpsOnCpu::QuantErrorRatio(const at::Tensor& x, const QuantizerSpec& spec) const {
  return ridgeline::QuantErrorRatio(x, spec);
}

at::Tensor OpsOnCpu::FakeQuantizeLearned(const at::Tensor& x, const at::Tensor& scale, const QuantizerSpec& spec,
                                         int64_t numbers) const {
  return ridgeline::FakeQuantizeLearned(x, scale, spec, numbers);
}

LearnedQuantizerGradients OpsOnCpu::LearnedGradients(const at::Tensor& x, const at::Tensor& v, const at::Tensor& scale,
                                                     const QuantizerSpec& spec, int64_t numbers) const {
  const ridgeline::LearnedGradients passed = LearnedScaleGradients(x, v, scale, spec, numbers);
  return {passed.x, passed.scale};
}

void OpsOnCpu::Adamw(const rows::AdamwStep& step, AdamwTensors& tensors, NumberRange range) const {
  rows::Bfloat16* copy = tensors.copy.defined() ? Out<rows::Bfloat16>(tensors.copy) + range.begin : nullptr;
  ForElementOf(tensors.gradient, [&](auto element) {
    rows::Adamw(step, In<decltype(element)>(tensors.gradient) + range.begin, range.count,
                Out<float>(tensors.weight) + range.begin, Out<float>(tensors.first) + range.begin,
                Out<float>(tensors.second) + range.begin, copy);
  });
}

void OpsOnCpu::SumOfSquares(const at::Tensor& x, NumberRange range, at::Tensor& sums, int64_t place) const {
  ForElementOf(x, [&](auto element) {
    Out<double>(sums)[place] = rows::SumOfSquares(In<decltype(element)>(x) + range.begin, range.count);
  });
}

const Ops& CpuOps() {
  static const OpsOnCpu ops;
  return ops;
}

}  // namespace ridgeline
