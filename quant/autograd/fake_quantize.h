// SPDX-License-Identifier: Apache-2.0
// Fake quantization as differentiable LibTorch operations: the result has the values that the codes stand for.
#pragma once

#include <ATen/core/Tensor.h>

#include "method/quantizer_spec.h"

namespace ridgeline {

// x: (..., features) -> the same shape and dtype. Blocks run along the last dimension. Keeps for the backward pass
// nothing where the gradient passes as it is, a bit an element where it passes what is trusted, else x, and six numbers
// a block where it passes a regression. x_hat is written over x where nobody else holds that (move it in), it is
// contiguous and the backward pass does not need it; dL/dx over dL/dx_hat in the same way. Shares LibTorch's threads.
// float64 is computed as it is, all else in float32; float16, unlike bfloat16, by a float32 copy of the tensor. A spec
// that is not enabled() gives x itself. Throws c10::Error (converted at the worker's boundary) for a spec that
// ValidateQuantizerSpec or ValidateFeatures refuses, or an unknown estimator.
at::Tensor FakeQuantize(at::Tensor x, const QuantizerSpec& spec);

// The two halves apart from autograd, for weights that are quantized once per optimizer step: the micro-batches share
// x_hat and sum their dL/dx_hat, which is exact, since dx is linear in it while x stands still (but for mask_decay,
// which comes once, as it should). Neither makes a copy of a tensor in another dtype. Both share LibTorch's threads and
// throw as FakeQuantize does. A spec that is not enabled() passes on what comes, converted.

// x: (..., features), float32 -> x_hat of the same shape in `out`, which is kBFloat16 or kFloat.
at::Tensor QuantizedValues(const at::Tensor& x, const QuantizerSpec& spec, at::ScalarType out);

// The same into the caller's x_hat, contiguous, kBFloat16 or kFloat. `saved`, if given, becomes what QuantizedGradient
// needs beside x, SavedBytes of each row, which may be none.
void QuantizeInto(const at::Tensor& x, const QuantizerSpec& spec, at::Tensor& x_hat, at::Tensor* saved = nullptr);

// dx = dL/dx from v = dL/dx_hat, both kBFloat16 or kFloat, and from what QuantizeInto saved of this x with this spec.
// x, v, dx: one shape, contiguous; the caller owns dx, which may be v itself.
void QuantizedGradient(const at::Tensor& x, const at::Tensor& saved, const at::Tensor& v, const QuantizerSpec& spec,
                       at::Tensor& dx);

// The plain twin: composed LibTorch operations, gradients by autograd; scales as they are computed. For tests and
// benchmarks.
at::Tensor FakeQuantize_ref(const at::Tensor& x, const QuantizerSpec& spec);

// Where gradients are off, noise estimators round (QuantizerSpec::hard_rounding), here and in FakeQuantize.
// ||x_hat - x||^2 / ||x||^2; 0 for a tensor of zeros.
double QuantErrorRatio(const at::Tensor& x, const QuantizerSpec& spec);

}  // namespace ridgeline
