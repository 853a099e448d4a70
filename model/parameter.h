// SPDX-License-Identifier: Apache-2.0
// A trained tensor in its two forms: the float32 master that the optimizer steps, and what layers compute with.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "quant/spec/quant_spec.h"

namespace ridgeline {

// Not an autograd leaf: a layer's backward pass adds to `gradient` itself, so that a matrix product ends where the
// optimizer reads it, without another pass over memory. Owned by its model; used by one thread.
struct Parameter {
  std::string name;         // Hugging Face's, or nanoGPT's for a GPT.
  at::Tensor master;        // float32. What checkpoints hold.
  at::Tensor compute;       // In the model's compute dtype, quantized where `quantizer` says so. The master itself where
                            // that is the same thing. Norm weights and biases are always computed in float32.
  QuantizerSpec quantizer;
  bool decays = false;      // Matrices decay, norms and biases do not.

  // dL/dcompute, summed over micro-batches; float32 or the compute dtype. Undefined outside of training.
  at::Tensor gradient;
  bool gradient_is_empty = true;  // Nothing was added since it was emptied: its memory may hold anything.

  bool computes_with_master() const { return compute.is_same(master); }

  // compute = quantized and converted master. Once per optimizer step.
  void RefreshCompute();

  // gradient += a @ b, of shapes (rows, k) and (k, columns).
  void AddProduct(const at::Tensor& a, const at::Tensor& b);
  // gradient += g
  void AddGradient(const at::Tensor& g);
  // gradient, zeroed first if it is empty.
  at::Tensor& ZeroedGradient();
  // dL/dcompute becomes dL/dmaster. Once per optimizer step; a no-op without a quantizer.
  void PassGradientThroughQuantizer();
};

}  // namespace ridgeline
