// SPDX-License-Identifier: Apache-2.0
// Fake quantization as differentiable LibTorch operations: the result has the values that the codes stand for.
#pragma once

#include <ATen/core/Tensor.h>

#include "quant/spec/quant_spec.h"

namespace ridgeline {

// x: (..., features) -> the same shape and dtype. Blocks run along the last dimension. Saves only x for the backward
// pass; shares LibTorch's threads. float32 and float64 are computed as they are, other dtypes in float32.
// A spec that is not enabled() gives x itself. Throws c10::Error (converted at the worker's boundary) for a spec that
// ValidateQuantizerSpec or ValidateFeatures refuses, or an unknown estimator.
at::Tensor FakeQuantize(const at::Tensor& x, const QuantizerSpec& spec);

// The plain twin: composed LibTorch operations, gradients by autograd. For tests and benchmarks.
at::Tensor FakeQuantize_ref(const at::Tensor& x, const QuantizerSpec& spec);

// ||x_hat - x||^2 / ||x||^2; 0 for a tensor of zeros.
double QuantErrorRatio(const at::Tensor& x, const QuantizerSpec& spec);

}  // namespace ridgeline
