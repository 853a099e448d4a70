// SPDX-License-Identifier: Apache-2.0
#include "model/parameter.h"

#include "model/matrix_product.h"
#include "quant/autograd/fake_quantize.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {

void Parameter::RefreshCompute() {
  if (computes_with_master()) return;
  at::NoGradGuard no_grad;
  QuantizeInto(master, quantizer, compute);
}

void Parameter::AddProduct(const at::Tensor& a, const at::Tensor& b) {
  const bool same_type = a.scalar_type() == gradient.scalar_type();
  if (!same_type) AddGradient(MatrixProduct(a, b));
  else if (gradient_is_empty) MatrixProductInto(a, b, gradient);
  else AddMatrixProduct(a, b, gradient);
  gradient_is_empty = false;
}

void Parameter::AddGradient(const at::Tensor& g) {
  if (gradient_is_empty) gradient.copy_(g);
  else gradient.add_(g);
  gradient_is_empty = false;
}

at::Tensor& Parameter::ZeroedGradient() {
  if (gradient_is_empty) gradient.zero_();
  gradient_is_empty = false;
  return gradient;
}

void Parameter::PassGradientThroughQuantizer() {
  if (!quantizer.enabled()) return;
  at::Tensor& upstream = ZeroedGradient();
  if (upstream.scalar_type() == at::kFloat) return QuantizedGradient(master, upstream, quantizer, upstream);
  at::Tensor passed = at::empty_like(master);
  QuantizedGradient(master, upstream, quantizer, passed);
  upstream.copy_(passed);
}

}  // namespace ridgeline
