// SPDX-License-Identifier: Apache-2.0
// Differentiable layers over Parameters. Each saves what its closed-form backward needs and adds weight gradients to
// the parameter itself; with gradients off they only compute. Throw c10::Error on shapes that do not fit.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "model/ops/ops.h"
#include "model/parameter.h"

namespace ridgeline {

// The master as a tensor of the graph, whose gradient is added to the parameter's; the master itself where gradients
// are off or the parameter gathers none. For what is composed of LibTorch's operations.
at::Tensor AsVariable(Parameter* parameter);

// x: (..., in), weight: (out, in), bias: (out) or null -> (..., out). A packed weight has no gradient.
at::Tensor Linear(const at::Tensor& x, Parameter* weight, Parameter* bias = nullptr);

// x / rms(x) * (1 + weight) over the last dimension, in float32 inside. weight: (features)
at::Tensor RmsNorm(const at::Tensor& x, Parameter* weight, double epsilon);

// weight, bias: (features)
at::Tensor LayerNorm(const at::Tensor& x, Parameter* weight, Parameter* bias, double epsilon);

// gelu_tanh(gate) * up, elementwise.
at::Tensor Geglu(const Ops& ops, const at::Tensor& gate, const at::Tensor& up);

// Rotary positions: x (B, T, H, D), cosines and sines (T, D / 2) float32. Pairs are (i, D / 2 + i).
at::Tensor Rotary(const Ops& ops, const at::Tensor& x, const at::Tensor& cosines, const at::Tensor& sines);

// segment(x), of whose forward pass only x is kept: the backward pass computes it again.
at::Tensor Recomputed(const std::function<at::Tensor(const at::Tensor&)>& segment, const at::Tensor& x);

// x as it is. Calls `function` in the backward pass, when the gradient of what comes of this is whole: before that of
// the layers before it is begun, and after that of all layers behind it, their weights' included.
at::Tensor CalledInBackward(std::function<void()> function, const at::Tensor& x);

}  // namespace ridgeline
