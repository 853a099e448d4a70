// SPDX-License-Identifier: Apache-2.0
#include "model/layers.h"

#include "model/unit_keeper.h"
#include "model/weight_product.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

using torch::autograd::variable_list;

// A step of the graph with one result. The engine calls apply once; release_variables then frees what was saved.
class Layer : public torch::autograd::Node {
 protected:
  variable_list apply(variable_list&& gradients) final { return Backward(gradients[0].contiguous()); }
  virtual variable_list Backward(const at::Tensor& g) = 0;
};

// Puts `node` between the inputs and `result`.
void Connect(const std::shared_ptr<torch::autograd::Node>& node, const variable_list& inputs, at::Tensor* result) {
  node->set_next_edges(torch::autograd::collect_next_edges(inputs));
  torch::autograd::impl::set_gradient_edge(*result, {node, node->add_input_metadata(*result)});
}

bool Records(const at::Tensor& x) { return at::GradMode::is_enabled() && x.requires_grad(); }

at::Tensor Flat(const at::Tensor& x) { return x.reshape({-1, x.size(-1)}); }

// Where a parameter enters the graph: nothing lies before it.
class ParameterLayer final : public Layer {
 public:
  explicit ParameterLayer(Parameter* parameter) : parameter_(parameter) {}

 private:
  variable_list Backward(const at::Tensor& g) override {
    parameter_->gradient.Add(g);
    return {};
  }

  Parameter* parameter_;
};

class LinearLayer final : public Layer {
 public:
  LinearLayer(const at::Tensor& x, Parameter* weight, Parameter* bias) : x_(x), weight_(weight), bias_(bias) {}
  void release_variables() override { x_.reset(); }

 private:
  variable_list Backward(const at::Tensor& g) override {
    const at::Tensor flat = Flat(g), x = Flat(x_);  // (N, out), (N, in)
    const Ops& ops = *weight_->ops;
    if (weight_->gradient.is_wanted()) weight_->gradient.AddProduct(ops, flat.t(), x);
    if (bias_ != nullptr && bias_->gradient.is_wanted()) bias_->gradient.Add(flat.sum(0, false, at::kFloat));
    if (weight_->sharing.keeper != nullptr) weight_->sharing.keeper->Proceed();
    if (!task_should_compute_output(0)) return {at::Tensor()};
    return {ops.Product(flat, weight_->compute).view_as(x_)};
  }

  at::Tensor x_;
  Parameter* weight_;
  Parameter* bias_;
};

class RmsNormLayer final : public Layer {
 public:
  RmsNormLayer(const at::Tensor& x, const at::Tensor& inverse_rms, Parameter* weight)
      : x_(x), inverse_rms_(inverse_rms), weight_(weight) {}
  void release_variables() override {
    x_.reset();
    inverse_rms_.reset();
  }

 private:
  variable_list Backward(const at::Tensor& g) override {
    const NormGradients gradients = weight_->ops->RmsNormBackward(x_, inverse_rms_, weight_->compute, g);
    if (weight_->gradient.is_wanted()) weight_->gradient.Add(gradients.weight);
    return {gradients.x};
  }

  at::Tensor x_, inverse_rms_;
  Parameter* weight_;
};

class LayerNormLayer final : public Layer {
 public:
  LayerNormLayer(const at::Tensor& x, const at::Tensor& mean, const at::Tensor& rstd, Parameter* weight,
                 Parameter* bias)
      : x_(x), mean_(mean), rstd_(rstd), weight_(weight), bias_(bias) {}
  void release_variables() override {
    x_.reset();
    mean_.reset();
    rstd_.reset();
  }

 private:
  variable_list Backward(const at::Tensor& g) override {
    const NormGradients gradients =
        weight_->ops->LayerNormBackward(x_, mean_, rstd_, weight_->compute, bias_->compute, g);
    if (weight_->gradient.is_wanted()) weight_->gradient.Add(gradients.weight);
    if (bias_->gradient.is_wanted()) bias_->gradient.Add(gradients.bias);
    return {gradients.x};
  }

  at::Tensor x_, mean_, rstd_;
  Parameter* weight_;
  Parameter* bias_;
};

class GegluLayer final : public Layer {
 public:
  GegluLayer(const Ops& ops, const at::Tensor& gate, const at::Tensor& up) : ops_(ops), gate_(gate), up_(up) {}
  void release_variables() override {
    gate_.reset();
    up_.reset();
  }

 private:
  variable_list Backward(const at::Tensor& g) override {
    const GegluGradients gradients = ops_.GegluBackward(gate_, up_, g);
    return {gradients.gate, gradients.up};
  }

  const Ops& ops_;
  at::Tensor gate_, up_;
};

class RotaryLayer final : public Layer {
 public:
  RotaryLayer(const Ops& ops, const at::Tensor& cosines, const at::Tensor& sines)
      : ops_(ops), cosines_(cosines), sines_(sines) {}

 private:
  variable_list Backward(const at::Tensor& g) override { return {ops_.Rotary(g, cosines_, sines_, -1)}; }

  const Ops& ops_;
  at::Tensor cosines_, sines_;
};

class RecomputedSegment final : public Layer {
 public:
  RecomputedSegment(std::function<at::Tensor(const at::Tensor&)> segment, const at::Tensor& x)
      : segment_(std::move(segment)), x_(x) {}
  void release_variables() override { x_.reset(); }

 private:
  variable_list Backward(const at::Tensor& g) override {
    at::AutoGradMode enable(true);
    at::Tensor x = x_.detach().requires_grad_(true);
    torch::autograd::backward({segment_(x)}, {g});
    return {x.grad()};
  }

  std::function<at::Tensor(const at::Tensor&)> segment_;
  at::Tensor x_;
};

class BackwardCall final : public Layer {
 public:
  explicit BackwardCall(std::function<void()> function) : function_(std::move(function)) {}

 private:
  variable_list Backward(const at::Tensor& g) override {
    function_();
    return {g};
  }

  std::function<void()> function_;
};

}  // namespace

at::Tensor CalledInBackward(std::function<void()> function, const at::Tensor& x) {
  if (!Records(x)) return x;
  at::Tensor y = x.detach();
  Connect(std::make_shared<BackwardCall>(std::move(function)), {x}, &y);
  return y;
}

at::Tensor AsVariable(Parameter* parameter) {
  if (!at::GradMode::is_enabled() || !parameter->gradient.is_wanted()) return parameter->master;
  at::Tensor variable = parameter->master.detach();
  Connect(std::make_shared<ParameterLayer>(parameter), {}, &variable);
  return variable;
}

at::Tensor Linear(const at::Tensor& x, Parameter* weight, Parameter* bias) {
  const bool records = Records(x);
  at::NoGradGuard no_grad;
  const at::Tensor flat = Flat(x);
  at::Tensor y = ProductWith(flat, *weight);
  if (weight->sharing.keeper != nullptr) weight->sharing.keeper->Proceed();
  if (bias != nullptr) y.add_(bias->compute);
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = y.size(1);
  y = at::_unsafe_view(y, shape);  // A view would drag its base into the graph.
  if (records) Connect(std::make_shared<LinearLayer>(x.detach(), weight, bias), {x}, &y);
  return y;
}

at::Tensor RmsNorm(const at::Tensor& x, Parameter* weight, double epsilon) {
  const bool records = Records(x);
  at::NoGradGuard no_grad;
  const at::Tensor input = x.detach().contiguous();
  RmsNormed normed = weight->ops->RmsNorm(input, weight->compute, epsilon);
  if (records) Connect(std::make_shared<RmsNormLayer>(input, normed.inverse_rms, weight), {x}, &normed.y);
  return normed.y;
}

at::Tensor LayerNorm(const at::Tensor& x, Parameter* weight, Parameter* bias, double epsilon) {
  const bool records = Records(x);
  at::NoGradGuard no_grad;
  const at::Tensor input = x.detach();
  LayerNormed normed = weight->ops->LayerNorm(input, weight->compute, bias->compute, epsilon);
  if (records) Connect(std::make_shared<LayerNormLayer>(input, normed.mean, normed.rstd, weight, bias), {x}, &normed.y);
  return normed.y;
}

at::Tensor Geglu(const Ops& ops, const at::Tensor& gate, const at::Tensor& up) {
  const bool records = Records(gate) || Records(up);
  at::NoGradGuard no_grad;
  const at::Tensor left = gate.detach().contiguous(), right = up.detach().contiguous();
  at::Tensor y = ops.Geglu(left, right);
  if (records) Connect(std::make_shared<GegluLayer>(ops, left, right), {gate, up}, &y);
  return y;
}

at::Tensor Rotary(const Ops& ops, const at::Tensor& x, const at::Tensor& cosines, const at::Tensor& sines) {
  const bool records = Records(x);
  at::NoGradGuard no_grad;
  at::Tensor y = ops.Rotary(x.detach().contiguous(), cosines, sines, 1);
  if (records) Connect(std::make_shared<RotaryLayer>(ops, cosines, sines), {x}, &y);
  return y;
}

at::Tensor Recomputed(const std::function<at::Tensor(const at::Tensor&)>& segment, const at::Tensor& x) {
  if (!Records(x)) return segment(x);
  at::Tensor y;
  {
    at::NoGradGuard no_grad;
    y = segment(x.detach()).detach();
  }
  Connect(std::make_shared<RecomputedSegment>(segment, x.detach()), {x}, &y);
  return y;
}

}  // namespace ridgeline
