// SPDX-License-Identifier: Apache-2.0
#include "model/layers.h"

#include "model/kernels/rows.h"
#include "model/matrix_product.h"
#include "model/unit_keeper.h"
#include "model/weight_product.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

using torch::autograd::variable_list;

constexpr int64_t kElementsPerThread = 16 * 1024;

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

// Calls rows(begin, end) on LibTorch's threads.
template <typename Function>
void ForRows(int64_t rows, int64_t features, const Function& function) {
  at::parallel_for(0, rows, std::max<int64_t>(1, kElementsPerThread / std::max<int64_t>(1, features)), function);
}

template <typename Row>
const Row* In(const at::Tensor& x) {
  return static_cast<const Row*>(x.const_data_ptr());
}
template <typename Row>
Row* Out(at::Tensor& x) {
  return static_cast<Row*>(x.mutable_data_ptr());
}

// Calls function(Element()) with the row kernels' type for the tensor's dtype.
template <typename Function>
void ForElementOf(const at::Tensor& x, const Function& function) {
  if (x.scalar_type() == at::kFloat) return function(float());
  TORCH_CHECK(x.scalar_type() == at::kBFloat16, "layers compute in float32 or bfloat16, not ", x.scalar_type());
  function(rows::Bfloat16());
}

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
    if (weight_->gradient.sum.defined()) weight_->gradient.AddProduct(flat.t(), x);
    if (bias_ != nullptr && bias_->gradient.sum.defined()) bias_->gradient.Add(flat.sum(0, false, at::kFloat));
    if (weight_->sharing.keeper != nullptr) weight_->sharing.keeper->Proceed();
    if (!task_should_compute_output(0)) return {at::Tensor()};
    return {MatrixProduct(flat, weight_->compute).view_as(x_)};
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
    const int64_t n = x_.size(-1), count = x_.numel() / n;
    at::Tensor dx = at::empty_like(x_);
    // A partial sum a run of rows, added in order: the same whatever the number of threads.
    const int64_t rows_per_run = std::max<int64_t>(1, kElementsPerThread / n),
                  runs = (count + rows_per_run - 1) / rows_per_run;
    at::Tensor partial = at::zeros({runs, n}, at::kFloat);
    ForElementOf(x_, [&](auto element) {
      using T = decltype(element);
      const T* x = In<T>(x_);
      const T* upstream = In<T>(g);
      T* out = Out<T>(dx);
      float* sums = Out<float>(partial);
      at::parallel_for(0, runs, 1, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin * rows_per_run; row < std::min(end * rows_per_run, count); ++row)
          rows::RmsNormBackward(x + row * n, In<float>(weight_->compute), In<float>(inverse_rms_)[row],
                                upstream + row * n, n, out + row * n, sums + row / rows_per_run * n);
      });
    });
    if (weight_->gradient.sum.defined()) weight_->gradient.Add(partial.sum(0));
    return {dx};
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
    auto [dx, dweight, dbias] = at::native_layer_norm_backward(g, x_, {x_.size(-1)}, mean_, rstd_, weight_->compute,
                                                               bias_->compute, {true, true, true});
    if (weight_->gradient.sum.defined()) weight_->gradient.Add(dweight);
    if (bias_->gradient.sum.defined()) bias_->gradient.Add(dbias);
    return {dx};
  }

  at::Tensor x_, mean_, rstd_;
  Parameter* weight_;
  Parameter* bias_;
};

at::Tensor GegluValues(const at::Tensor& gate, const at::Tensor& up) {
  at::Tensor y = at::empty_like(gate);
  ForElementOf(gate, [&](auto element) {
    using T = decltype(element);
    at::parallel_for(0, gate.numel(), kElementsPerThread, [&](int64_t begin, int64_t end) {
      rows::Geglu(In<T>(gate) + begin, In<T>(up) + begin, end - begin, Out<T>(y) + begin);
    });
  });
  return y;
}

class GegluLayer final : public Layer {
 public:
  GegluLayer(const at::Tensor& gate, const at::Tensor& up) : gate_(gate), up_(up) {}
  void release_variables() override {
    gate_.reset();
    up_.reset();
  }

 private:
  variable_list Backward(const at::Tensor& g) override {
    at::Tensor dgate = at::empty_like(gate_), dup = at::empty_like(up_);
    ForElementOf(gate_, [&](auto element) {
      using T = decltype(element);
      at::parallel_for(0, gate_.numel(), kElementsPerThread, [&](int64_t begin, int64_t end) {
        rows::GegluBackward(In<T>(gate_) + begin, In<T>(up_) + begin, In<T>(g) + begin, end - begin,
                            Out<T>(dgate) + begin, Out<T>(dup) + begin);
      });
    });
    return {dgate, dup};
  }

  at::Tensor gate_, up_;
};

// x: (B, T, H, D) contiguous
at::Tensor RotaryValues(const at::Tensor& x, const at::Tensor& cosines, const at::Tensor& sines, float direction) {
  const int64_t length = x.size(1), heads = x.size(2), dim = x.size(3), half = dim / 2;
  at::Tensor y = at::empty_like(x);
  ForElementOf(x, [&](auto element) {
    using T = decltype(element);
    ForRows(x.numel() / dim, dim, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t position = row / heads % length;
        rows::Rotate(In<T>(x) + row * dim, In<float>(cosines) + position * half, In<float>(sines) + position * half,
                     direction, half, Out<T>(y) + row * dim);
      }
    });
  });
  return y;
}

class RotaryLayer final : public Layer {
 public:
  RotaryLayer(const at::Tensor& cosines, const at::Tensor& sines) : cosines_(cosines), sines_(sines) {}

 private:
  variable_list Backward(const at::Tensor& g) override { return {RotaryValues(g, cosines_, sines_, -1)}; }

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
  if (!at::GradMode::is_enabled() || !parameter->gradient.sum.defined()) return parameter->master;
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
  const int64_t n = input.size(-1), count = input.numel() / n;
  at::Tensor y = at::empty_like(input), inverse_rms = at::empty({count}, at::kFloat);
  ForElementOf(input, [&](auto element) {
    using T = decltype(element);
    ForRows(count, n, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row)
        Out<float>(inverse_rms)[row] = rows::RmsNorm(In<T>(input) + row * n, In<float>(weight->compute),
                                                     static_cast<float>(epsilon), n, Out<T>(y) + row * n);
    });
  });
  if (records) Connect(std::make_shared<RmsNormLayer>(input, inverse_rms, weight), {x}, &y);
  return y;
}

at::Tensor LayerNorm(const at::Tensor& x, Parameter* weight, Parameter* bias, double epsilon) {
  const bool records = Records(x);
  at::NoGradGuard no_grad;
  auto [y, mean, rstd] = at::native_layer_norm(x.detach(), {x.size(-1)}, weight->compute, bias->compute, epsilon);
  if (records) Connect(std::make_shared<LayerNormLayer>(x.detach(), mean, rstd, weight, bias), {x}, &y);
  return y;
}

at::Tensor Geglu(const at::Tensor& gate, const at::Tensor& up) {
  const bool records = Records(gate) || Records(up);
  at::NoGradGuard no_grad;
  const at::Tensor left = gate.detach().contiguous(), right = up.detach().contiguous();
  at::Tensor y = GegluValues(left, right);
  if (records) Connect(std::make_shared<GegluLayer>(left, right), {gate, up}, &y);
  return y;
}

at::Tensor Rotary(const at::Tensor& x, const at::Tensor& cosines, const at::Tensor& sines) {
  const bool records = Records(x);
  at::NoGradGuard no_grad;
  at::Tensor y = RotaryValues(x.detach().contiguous(), cosines, sines, 1);
  if (records) Connect(std::make_shared<RotaryLayer>(cosines, sines), {x}, &y);
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
