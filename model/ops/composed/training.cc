// SPDX-License-Identifier: Apache-2.0
// Quantizers and the optimizer.
#include "model/ops/composed/composed_ops.h"
#include "quant/autograd/fake_quantize.h"
#include "quant/autograd/learned_scale.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct KeptSpec : torch::CustomClassHolder {
  explicit KeptSpec(const QuantizerSpec& spec) : spec(spec) {}
  QuantizerSpec spec;
};

}  // namespace

// Keeps x alone for the backward pass.
struct QuantizedByOps : torch::autograd::Function<QuantizedByOps> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const ComposedOperations* ops,
                            const QuantizerSpec& spec) {
    context->saved_data["spec"] = c10::IValue::make_capsule(c10::make_intrusive<KeptSpec>(spec));
    context->saved_data["ops"] = reinterpret_cast<int64_t>(ops);
    context->save_for_backward({x});
    return ops->Quantized(x, spec, x.scalar_type());
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto kept = c10::static_intrusive_pointer_cast<KeptSpec>(context->saved_data["spec"].toCapsule());
    const auto* ops = reinterpret_cast<const ComposedOperations*>(context->saved_data["ops"].toInt());
    const at::Tensor x = context->get_saved_variables()[0];
    return {ops->GradientOf(x, gradients[0].contiguous(), kept->spec), at::Tensor(), at::Tensor()};
  }
};

at::Tensor ComposedOperations::Quantized(const at::Tensor& x, const QuantizerSpec& spec, at::ScalarType out) const {
  at::NoGradGuard no_grad;
  return FakeQuantize_ref(x.to(at::kFloat), spec).to(out);
}

at::Tensor ComposedOperations::GradientOf(const at::Tensor& x, const at::Tensor& v, const QuantizerSpec& spec) const {
  at::AutoGradMode enable(true);
  const at::Tensor leaf = x.detach().to(at::kFloat, /*non_blocking=*/false, /*copy=*/true).requires_grad_(true);
  const at::Tensor x_hat = FakeQuantize_ref(leaf, spec);
  torch::autograd::backward({x_hat}, {v.to(at::kFloat)});
  return leaf.grad().to(v.scalar_type());
}

at::Tensor ComposedOperations::FakeQuantize(at::Tensor x, const QuantizerSpec& spec) const {
  if (!spec.enabled()) return x;
  if (at::GradMode::is_enabled() && x.requires_grad()) return QuantizedByOps::apply(x, this, spec);
  QuantizerSpec in_use = spec;
  in_use.hard_rounding = in_use.hard_rounding || !at::GradMode::is_enabled();
  return Quantized(x, in_use, x.scalar_type());
}

void ComposedOperations::QuantizeInto(const at::Tensor& x, const QuantizerSpec& spec, at::Tensor& x_hat,
                                      at::Tensor* saved) const {
  x_hat.copy_(spec.enabled() ? Quantized(x, spec, x_hat.scalar_type()) : x);
  if (saved != nullptr) saved->reset();
}

void ComposedOperations::QuantizedGradient(const at::Tensor& x, const at::Tensor&, const at::Tensor& v,
                                           const QuantizerSpec& spec, at::Tensor& dx) const {
  dx.copy_(spec.enabled() ? GradientOf(x, v, spec) : v);
}

double ComposedOperations::QuantErrorRatio(const at::Tensor& x, const QuantizerSpec& spec) const {
  at::NoGradGuard no_grad;
  const at::Tensor exact = x.detach().to(at::kDouble);
  const double energy = exact.square().sum().item<double>();
  if (!spec.enabled() || energy == 0) return 0;
  QuantizerSpec in_use = spec;
  in_use.hard_rounding = true;
  in_use.stays_rotated = false;
  return (FakeQuantize_ref(exact, in_use) - exact).square().sum().item<double>() / energy;
}

at::Tensor ComposedOperations::FakeQuantizeLearned(const at::Tensor& x, const at::Tensor& scale,
                                                   const QuantizerSpec& spec, int64_t numbers) const {
  return FakeQuantizeLearned_ref(x.to(at::kFloat), scale, spec, numbers).to(x.scalar_type());
}

LearnedQuantizerGradients ComposedOperations::LearnedGradients(const at::Tensor& x, const at::Tensor& v,
                                                               const at::Tensor& scale, const QuantizerSpec& spec,
                                                               int64_t numbers) const {
  at::AutoGradMode enable(true);
  const at::Tensor leaf = x.detach().clone().requires_grad_(true), of = scale.detach().clone().requires_grad_(true);
  torch::autograd::backward({FakeQuantizeLearned_ref(leaf, of, spec, numbers)}, {v.to(at::kFloat)});
  return {leaf.grad(), of.grad()};
}

// Decoupled decay; the two corrections undo the moments' beginning at zero.
void ComposedOperations::Adamw(const rows::AdamwStep& step, AdamwTensors& tensors, NumberRange range) const {
  auto part = [&](const at::Tensor& x) { return x.view({-1}).narrow(0, range.begin, range.count); };
  at::Tensor weight = part(tensors.weight), first = part(tensors.first), second = part(tensors.second);
  const at::Tensor g = part(tensors.gradient).to(at::kFloat) * step.gradient_scale;
  first.mul_(step.beta1).add_(g, 1 - step.beta1);
  second.mul_(step.beta2).addcmul_(g, g, 1 - step.beta2);
  const at::Tensor root = (second / step.correction2).sqrt_().add_(step.epsilon);
  weight.mul_(1 - step.learning_rate * step.weight_decay);
  weight.addcdiv_(first, root, -step.learning_rate / step.correction1);
  if (tensors.copy.defined()) part(tensors.copy).copy_(weight);
}

void ComposedOperations::SumOfSquares(const at::Tensor& x, NumberRange range, at::Tensor& sums, int64_t place) const {
  sums[place].copy_(x.view({-1}).narrow(0, range.begin, range.count).to(at::kFloat).square().sum(at::kDouble));
}

const Ops& ComposedOps() {
  static const ComposedOperations ops;
  return ops;
}

}  // namespace ridgeline
