// SPDX-License-Identifier: Apache-2.0
#include "quant/autograd/fake_quantize.h"

#include <algorithm>

#include "quant/autograd/granularity.h"
#include "quant/autograd/torch_pch.h"
#include "quant/kernels/estimator.h"

namespace ridgeline {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Elements below which a second thread costs more than it saves.
constexpr int64_t kElementsPerThread = 16 * 1024;

const Estimator& EstimatorOf(const QuantizerSpec& spec, int64_t features) {
  absl::Status valid = ValidateQuantizerSpec(spec);
  if (valid.ok()) valid = ValidateFeatures(spec, features);
  TORCH_CHECK(valid.ok(), std::string(valid.message()));
  absl::StatusOr<const Estimator*> estimator = FindEstimator(spec.estimator);
  TORCH_CHECK(estimator.ok(), std::string(estimator.status().message()));
  return **estimator;
}

// Calls rows(begin, end) on LibTorch's threads.
template <typename Function>
void ForRows(int64_t rows, int64_t features, const Function& function) {
  int64_t grain = std::max<int64_t>(1, kElementsPerThread / std::max<int64_t>(1, features));
  at::parallel_for(0, rows, grain, function);
}

template <typename T>
void ForwardInto(const Estimator& estimator, const QuantizerSpec& spec, const at::Tensor& x, at::Tensor& x_hat) {
  const KernelMatrix matrix = MatrixForKernels(x, spec);
  const int64_t features = matrix.features;
  const T* in = x.const_data_ptr<T>();
  T* out = x_hat.mutable_data_ptr<T>();
  ForRows(matrix.rows, features, [&](int64_t begin, int64_t end) {
    estimator.Forward(matrix.spec, in + begin * features, end - begin, features, out + begin * features);
  });
}

template <typename T>
void BackwardInto(const Estimator& estimator, const QuantizerSpec& spec, const at::Tensor& x, const at::Tensor& v,
                  at::Tensor& dx) {
  const KernelMatrix matrix = MatrixForKernels(x, spec);
  const int64_t features = matrix.features;
  const T* in = x.const_data_ptr<T>();
  const T* grad = v.const_data_ptr<T>();
  T* out = dx.mutable_data_ptr<T>();
  ForRows(matrix.rows, features, [&](int64_t begin, int64_t end) {
    estimator.Backward(matrix.spec, in + begin * features, grad + begin * features, end - begin, features,
                       out + begin * features);
  });
}

// Contiguous, in a dtype that the kernels have.
at::Tensor ForKernels(const at::Tensor& x) {
  bool native = x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble;
  return (native ? x : x.to(at::kFloat)).contiguous();
}

at::Tensor RunForward(const at::Tensor& x, const QuantizerSpec& spec) {
  const Estimator& estimator = EstimatorOf(spec, x.size(-1));
  at::Tensor in = ForKernels(x), x_hat = at::empty_like(in);
  if (in.scalar_type() == at::kDouble) ForwardInto<double>(estimator, spec, in, x_hat);
  else ForwardInto<float>(estimator, spec, in, x_hat);
  return x_hat.to(x.scalar_type());
}

at::Tensor RunBackward(const at::Tensor& x, const at::Tensor& v, const QuantizerSpec& spec) {
  const Estimator& estimator = EstimatorOf(spec, x.size(-1));
  at::Tensor in = ForKernels(x), grad = v.to(in.scalar_type()).contiguous(), dx = at::empty_like(in);
  if (in.scalar_type() == at::kDouble) BackwardInto<double>(estimator, spec, in, grad, dx);
  else BackwardInto<float>(estimator, spec, in, grad, dx);
  return dx.to(x.scalar_type());
}

void CheckMaster(const at::Tensor& x) {
  TORCH_CHECK(x.scalar_type() == at::kFloat, "master weights and their gradients are float32, not ", x.scalar_type());
}

struct SavedSpec : torch::CustomClassHolder {
  explicit SavedSpec(const QuantizerSpec& spec) : spec(spec) {}
  QuantizerSpec spec;
};

class FakeQuantizeFunction : public torch::autograd::Function<FakeQuantizeFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const QuantizerSpec& spec) {
    context->save_for_backward({x});
    // The graph may outlive the caller's spec, so it keeps its own copy.
    context->saved_data["spec"] = c10::IValue::make_capsule(c10::make_intrusive<SavedSpec>(spec));
    return RunForward(x, spec);
  }

  static variable_list backward(AutogradContext* context, variable_list grad_outputs) {
    auto saved = c10::static_intrusive_pointer_cast<SavedSpec>(context->saved_data["spec"].toCapsule());
    return {RunBackward(context->get_saved_variables()[0], grad_outputs[0], saved->spec), at::Tensor()};
  }
};

}  // namespace

at::Tensor FakeQuantize(const at::Tensor& x, const QuantizerSpec& spec) {
  if (!spec.enabled()) return x;
  if (at::GradMode::is_enabled()) return FakeQuantizeFunction::apply(x, spec);
  QuantizerSpec in_use = spec;
  in_use.hard_rounding = true;
  return RunForward(x, in_use);
}

at::Tensor QuantizedValues(const at::Tensor& x, const QuantizerSpec& spec, at::ScalarType out) {
  CheckMaster(x);
  TORCH_CHECK(out == at::kFloat || out == at::kBFloat16, "quantized values come in float32 or bfloat16, not ", out);
  at::NoGradGuard no_grad;
  return (spec.enabled() ? RunForward(x, spec) : x).to(out);
}

void QuantizedGradient(const at::Tensor& x, const at::Tensor& v, const QuantizerSpec& spec, at::Tensor& dx) {
  CheckMaster(x);
  CheckMaster(dx);
  TORCH_CHECK(v.sizes() == x.sizes() && dx.sizes() == x.sizes(), "x ", x.sizes(), ", v ", v.sizes(), " and dx ",
              dx.sizes(), " differ in shape");
  TORCH_CHECK(x.is_contiguous() && v.is_contiguous() && dx.is_contiguous(), "x, v and dx must be contiguous");
  at::NoGradGuard no_grad;
  if (!spec.enabled()) dx.copy_(v);
  else dx.copy_(RunBackward(x, v, spec));
}

double QuantErrorRatio(const at::Tensor& x, const QuantizerSpec& spec) {
  at::Tensor original = x.detach().to(at::kDouble);
  double energy = original.square().sum().item<double>();
  if (!spec.enabled() || energy == 0) return 0;
  QuantizerSpec in_use = spec;
  in_use.hard_rounding = true;
  return (RunForward(original, in_use) - original).square().sum().item<double>() / energy;
}

}  // namespace ridgeline
