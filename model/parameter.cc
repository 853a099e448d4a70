// SPDX-License-Identifier: Apache-2.0
#include "model/parameter.h"

#include "method/estimator_traits.h"
#include "method/resolved_spec.h"
#include "model/matrix_product.h"
#include "quant/autograd/fake_quantize.h"
#include "quant/autograd/learned_scale.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {

void Parameter::RefreshCompute() {
  if (packed != nullptr || computes_with_master()) return;
  is_stale = true;
  if (is_shared) return;
  at::NoGradGuard no_grad;
  if (scale != nullptr) {
    compute.copy_(LearnedValues());
    return;
  }
  QuantizeInto(master, quantizer, compute, &saved);
}

at::Tensor Parameter::OwnValues(at::ScalarType dtype) {
  at::NoGradGuard no_grad;
  if (scale != nullptr) return LearnedValues().to(dtype);
  at::Tensor values = at::empty(master.sizes(), master.options().dtype(dtype));
  QuantizeInto(master, quantizer, values, &saved);
  return values;
}

bool Parameter::refreshes_by_rows() const {
  return !is_shared && quantizer.enabled() && scale == nullptr && TreatsRowsAlone(quantizer);
}

int64_t Parameter::row_length() const { return master.dim() > 1 ? master.size(-1) : 1; }

void Parameter::RefreshRows(int64_t begin, int64_t end) {
  at::Tensor values = compute.narrow(0, begin, end - begin), saved_rows = saved.narrow(0, begin, end - begin);
  QuantizeInto(master.narrow(0, begin, end - begin), quantizer, values, &saved_rows);
}

void Parameter::PassGradientOfRows(int64_t begin, int64_t end) {
  at::Tensor upstream = gradient.narrow(0, begin, end - begin);
  QuantizedGradient(master.narrow(0, begin, end - begin), saved.narrow(0, begin, end - begin), upstream, quantizer,
                    upstream);
}

at::Tensor Parameter::LearnedValues() {
  if (scale->is_unset()) scale->master.copy_(InitialScale(master, quantizer));
  return FakeQuantizeLearned(master, scale->master, quantizer, NumbersPerScale());
}

bool Parameter::is_unset() const { return master.numel() > 0 && master.const_data_ptr<float>()[0] == 0; }

int64_t Parameter::NumbersPerScale() const {
  const bool counts_matrix = FindEstimatorTraits(quantizer.estimator)->counts_matrix;
  return counts_matrix ? shape->elements() : shape->elements() / scale->shape->elements();
}

void Parameter::AddProduct(const at::Tensor& a, const at::Tensor& b) {
  const bool same_type = a.scalar_type() == gradient.scalar_type();
  if (!same_type)
    AddGradient(MatrixProduct(a, b));
  else if (gradient_is_empty)
    MatrixProductInto(a, b, gradient);
  else
    AddMatrixProduct(a, b, gradient);
  gradient_is_empty = false;
}

void Parameter::AddGradient(const at::Tensor& g) {
  if (gradient_is_empty)
    gradient.copy_(g);
  else
    gradient.add_(g);
  gradient_is_empty = false;
}

at::Tensor& Parameter::ZeroedGradient() {
  if (gradient_is_empty) gradient.zero_();
  gradient_is_empty = false;
  return gradient;
}

void Parameter::PassGradientThroughQuantizer() {
  if (!quantizer.enabled() || has_no_rows()) return;
  if (scale != nullptr) return PassGradientThroughLearnedScale();
  at::Tensor& upstream = ZeroedGradient();
  QuantizedGradient(master, saved, upstream, quantizer, upstream);
}

void Parameter::PassGradientThroughLearnedScale() {
  at::Tensor& upstream = ZeroedGradient();
  const LearnedGradients passed = LearnedScaleGradients(master, upstream, scale->master, quantizer, NumbersPerScale());
  upstream.copy_(passed.x);
  scale->AddGradient(passed.scale);
}

at::Tensor Parameter::Values() const {
  if (!quantizer.stays_rotated) return compute;
  QuantizerSpec rotated_back = quantizer;
  rotated_back.stays_rotated = false;
  return QuantizedValues(master, rotated_back, compute.scalar_type());
}

double Parameter::QuantizationErrorRatio() const {
  if (scale == nullptr) return QuantErrorRatio(master, quantizer);
  const at::Tensor exact = master.to(at::kDouble);
  const at::Tensor values =
      is_shared ? FakeQuantizeLearned(master, scale->master, quantizer, NumbersPerScale()) : compute;
  return ((values - exact).square().sum() / exact.square().sum().clamp_min(1e-300)).item<double>();
}

}  // namespace ridgeline
