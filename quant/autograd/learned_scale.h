// SPDX-License-Identifier: Apache-2.0
// Fake quantization with a scale that is trained (docs/methods.md#lsq-paretoq-post-asq).
//
// A layer that uses it owns the scale as a parameter: a leaf that requires gradients, set by InitialScale from the
// weight, or from the first batch of an activation, saved and restored with the layer, and left out of weight decay.
#pragma once

#include <ATen/core/Tensor.h>

#include "method/quantizer_spec.h"

namespace ridgeline {

// Where training starts, as LearnedLevels::start says: (rows, 1) for granularity row, else (1, 1). x: (..., features).
// Throws c10::Error for what LearnedLevelsOf refuses.
at::Tensor InitialScale(const at::Tensor& x, const QuantizerSpec& spec);

// x: (..., features), scale: (rows, 1) or (1, 1) -> x_hat, the shape and dtype of x. Differentiable in both. A scale
// counts as at least 1e-5, and is rounded to a
// float16 where spec.scale_precision says so. The gradient of the scale is multiplied by 1 / sqrt(numbers Q_P), the
// paper's balance, where `numbers` is what shares a scale and does not grow with the batch: for a weight its own count
// (EstimatorTraits:: counts_matrix: that of the whole matrix), for an activation its features.
at::Tensor FakeQuantizeLearned(const at::Tensor& x, const at::Tensor& scale, const QuantizerSpec& spec,
                               int64_t numbers);

struct LearnedGradients {
  at::Tensor x;      // The shape of x, float32.
  at::Tensor scale;  // The shape of the scale, float32.
};

// The backward half apart from autograd, for weights that are quantized once per optimizer step: what
// FakeQuantizeLearned passes on to x and scale of v = dL/dx_hat. x, scale: float32; v: float32 or bfloat16.
LearnedGradients LearnedScaleGradients(const at::Tensor& x, const at::Tensor& v, const at::Tensor& scale,
                                       const QuantizerSpec& spec, int64_t numbers);

// The plain twin: composed LibTorch operations, gradients by autograd. For tests and benchmarks.
at::Tensor FakeQuantizeLearned_ref(const at::Tensor& x, const at::Tensor& scale, const QuantizerSpec& spec,
                                   int64_t numbers);

}  // namespace ridgeline
