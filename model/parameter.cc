// SPDX-License-Identifier: Apache-2.0
#include "model/parameter.h"

#include "method/estimator_traits.h"
#include "method/resolved_spec.h"
#include "quant/autograd/learned_scale.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {

void GradientSlot::AddProduct(const Ops& ops, const at::Tensor& a, const at::Tensor& b) {
  if (a.scalar_type() != sum.scalar_type()) return Add(ops.Product(a, b));
  if (is_empty)
    ops.ProductInto(a, b, sum);
  else
    ops.AddProduct(a, b, sum);
  is_empty = false;
}

void GradientSlot::Add(const at::Tensor& g) {
  if (is_empty)
    sum.copy_(g);
  else
    sum.add_(g);
  is_empty = false;
}

at::Tensor& GradientSlot::Zeroed() {
  if (is_empty) sum.zero_();
  is_empty = false;
  return sum;
}

void Parameter::RefreshCompute() {
  if (packed != nullptr || computes_with_master()) return;
  sharing.is_stale = true;
  if (sharing.is_shared) return;
  at::NoGradGuard no_grad;
  if (quantizer.scale != nullptr) {
    compute.copy_(LearnedValues());
    return;
  }
  ops->QuantizeInto(master, quantizer.spec, compute, &quantizer.saved);
}

at::Tensor Parameter::OwnValues(at::ScalarType dtype) {
  at::NoGradGuard no_grad;
  if (quantizer.scale != nullptr) return LearnedValues().to(dtype);
  at::Tensor values = at::empty(master.sizes(), master.options().dtype(dtype));
  ops->QuantizeInto(master, quantizer.spec, values, &quantizer.saved);
  return values;
}

bool Parameter::refreshes_by_rows() const {
  return ops->cuts_rows() && !sharing.is_shared && quantizer.spec.enabled() && quantizer.scale == nullptr &&
         TreatsRowsAlone(quantizer.spec);
}

int64_t Parameter::row_length() const { return master.dim() > 1 ? master.size(-1) : 1; }

void Parameter::RefreshRows(int64_t begin, int64_t end) {
  at::Tensor values = compute.narrow(0, begin, end - begin), saved_rows = quantizer.saved.narrow(0, begin, end - begin);
  ops->QuantizeInto(master.narrow(0, begin, end - begin), quantizer.spec, values, &saved_rows);
}

void Parameter::PassGradientOfRows(int64_t begin, int64_t end) {
  at::Tensor upstream = gradient.sum.narrow(0, begin, end - begin);
  ops->QuantizedGradient(master.narrow(0, begin, end - begin), quantizer.saved.narrow(0, begin, end - begin), upstream,
                         quantizer.spec, upstream);
}

at::Tensor Parameter::LearnedValues() {
  if (quantizer.scale->is_unset()) quantizer.scale->master.copy_(InitialScale(master, quantizer.spec));
  return ops->FakeQuantizeLearned(master, quantizer.scale->master, quantizer.spec, NumbersPerScale());
}

bool Parameter::is_unset() {
  if (may_be_unset) may_be_unset = master.numel() > 0 && master.flatten()[0].item<float>() == 0;
  return may_be_unset;
}

int64_t Parameter::NumbersPerScale() const {
  const bool counts_matrix = FindEstimatorTraits(quantizer.spec.estimator)->counts_matrix;
  return counts_matrix ? shape->elements() : shape->elements() / quantizer.scale->shape->elements();
}

void Parameter::PassGradientThroughQuantizer() {
  if (!quantizer.spec.enabled() || sharing.has_no_rows()) return;
  if (quantizer.scale != nullptr) return PassGradientThroughLearnedScale();
  at::Tensor& upstream = gradient.Zeroed();
  ops->QuantizedGradient(master, quantizer.saved, upstream, quantizer.spec, upstream);
}

void Parameter::PassGradientThroughLearnedScale() {
  at::Tensor& upstream = gradient.Zeroed();
  const LearnedQuantizerGradients passed =
      ops->LearnedGradients(master, upstream, quantizer.scale->master, quantizer.spec, NumbersPerScale());
  upstream.copy_(passed.x);
  quantizer.scale->gradient.Add(passed.scale);
}

at::Tensor Parameter::Values() const {
  if (!quantizer.spec.stays_rotated) return compute;
  QuantizerSpec rotated_back = quantizer.spec;
  rotated_back.stays_rotated = false;
  at::Tensor values = at::empty_like(compute);
  ops->QuantizeInto(master, rotated_back, values, nullptr);
  return values;
}

double Parameter::QuantizationErrorRatio() const {
  if (quantizer.scale == nullptr) return ops->QuantErrorRatio(master, quantizer.spec);
  const at::Tensor exact = master.to(at::kDouble);
  const at::Tensor values =
      sharing.is_shared ? ops->FakeQuantizeLearned(master, quantizer.scale->master, quantizer.spec, NumbersPerScale())
                        : compute;
  return ((values - exact).square().sum() / exact.square().sum().clamp_min(1e-300)).item<double>();
}

}  // namespace ridgeline
