// SPDX-License-Identifier: Apache-2.0
#include "quant/autograd/fake_quantize.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "method/problems.h"
#include "method/resolved_spec.h"
#include "quant/autograd/granularity.h"
#include "quant/autograd/torch_pch.h"
#include "quant/codes/packed_tensor.h"
#include "quant/kernels/estimator.h"
#include "quant/kernels/trust.h"

namespace ridgeline {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Elements below which a second thread costs more than it saves.
constexpr int64_t kElementsPerThread = 16 * 1024;

const Estimator& CheckedEstimator(const QuantizerSpec& spec, int64_t features) {
  absl::Status valid = ValidateQuantizerSpec(spec);
  if (valid.ok()) valid = ValidateFeatures(spec, features);
  TORCH_CHECK(valid.ok(), std::string(valid.message()));
  absl::StatusOr<const Estimator*> estimator = EstimatorFor(spec);
  TORCH_CHECK(estimator.ok(), std::string(estimator.status().message()));
  return **estimator;
}

// Of the numbers that the forward pass of X saves.
template <typename X>
constexpr int64_t kNumberBytes = std::is_same_v<X, double> ? sizeof(double) : sizeof(float);

// Calls rows(begin, end) on LibTorch's threads.
template <typename Function>
void ForRows(int64_t rows, int64_t features, const Function& function) {
  int64_t grain = std::max<int64_t>(1, kElementsPerThread / std::max<int64_t>(1, features));
  at::parallel_for(0, rows, grain, function);
}

template <typename T>
const T* NumbersOf(const at::Tensor& x) {
  return static_cast<const T*>(x.const_data_ptr());
}
template <typename T>
T* MutableNumbersOf(at::Tensor& x) {
  return static_cast<T*>(x.mutable_data_ptr());
}

template <typename X, typename V>
void ForwardInto(const Estimator& estimator, const QuantizerSpec& spec, const at::Tensor& x, at::Tensor& x_hat,
                 at::Tensor* saved) {
  const KernelMatrix matrix = MatrixForKernels(x, spec);
  const int64_t features = matrix.features;
  const X* in = NumbersOf<X>(x);
  V* out = MutableNumbersOf<V>(x_hat);
  uint8_t* bytes = nullptr;
  int64_t row_bytes = 0;
  if (saved != nullptr) {
    row_bytes = SavedBytes(matrix.spec, features, kNumberBytes<X>);
    if (!saved->defined()) *saved = at::empty({0}, at::kByte);
    saved->resize_({matrix.rows, row_bytes});
    bytes = MutableNumbersOf<uint8_t>(*saved);
  }
  ForRows(matrix.rows, features, [&](int64_t begin, int64_t end) {
    estimator.Forward(matrix.spec, in + begin * features, end - begin, features, out + begin * features,
                      bytes == nullptr ? nullptr : bytes + begin * row_bytes);
  });
}

template <typename X>
const uint8_t* SavedRows(const KernelMatrix& matrix, const at::Tensor& saved) {
  const int64_t row_bytes = SavedBytes(matrix.spec, matrix.features, kNumberBytes<X>);
  TORCH_CHECK(saved.numel() == matrix.rows * row_bytes, "a gradient of ", matrix.rows, " rows needs ",
              matrix.rows * row_bytes, " bytes that the forward pass saves, and there are ", saved.numel(),
              ": quantize what it is the gradient of with this spec first (QuantizeInto)");
  return NumbersOf<uint8_t>(saved);
}

template <typename V>
void PassTrustedInto(const QuantizerSpec& spec, const at::Tensor& saved, const at::Tensor& v, at::Tensor& dx) {
  const KernelMatrix matrix = MatrixForKernels(v, spec);
  const int64_t features = matrix.features, row_bytes = SavedBytes(matrix.spec, features, kNumberBytes<V>);
  const uint8_t* bits = SavedRows<V>(matrix, saved);
  const V* grad = NumbersOf<V>(v);
  V* out = MutableNumbersOf<V>(dx);
  ForRows(matrix.rows, features, [&](int64_t begin, int64_t end) {
    PassTrusted(matrix.spec, bits + begin * row_bytes, grad + begin * features, end - begin, features,
                out + begin * features);
  });
}

template <typename X, typename V>
void BackwardInto(const Estimator& estimator, const QuantizerSpec& spec, const at::Tensor& x, const at::Tensor& saved,
                  const at::Tensor& v, at::Tensor& dx) {
  const KernelMatrix matrix = MatrixForKernels(x, spec);
  const int64_t features = matrix.features, row_bytes = SavedBytes(matrix.spec, features, kNumberBytes<X>);
  const X* in = NumbersOf<X>(x);
  const uint8_t* bytes = PassesFit(spec) ? SavedRows<X>(matrix, saved) : nullptr;
  const V* grad = NumbersOf<V>(v);
  V* out = MutableNumbersOf<V>(dx);
  ForRows(matrix.rows, features, [&](int64_t begin, int64_t end) {
    estimator.Backward(matrix.spec, in + begin * features, bytes == nullptr ? nullptr : bytes + begin * row_bytes,
                       grad + begin * features, end - begin, features, out + begin * features);
  });
}

// Calls function.operator()<X, V>() for the kernels' names of x's and v's dtypes.
template <typename Function>
void WithNumbers(at::ScalarType x, at::ScalarType v, const Function& function) {
  if (x == at::kFloat && v == at::kBFloat16) return function.template operator()<float, BFloat16>();
  TORCH_CHECK(x == v, "no kernels for ", x, " with ", v);
  if (x == at::kDouble) return function.template operator()<double, double>();
  if (x == at::kBFloat16) return function.template operator()<BFloat16, BFloat16>();
  function.template operator()<float, float>();
}

// The dtype that the kernels compute x in.
at::ScalarType TypeForKernels(const at::Tensor& x) {
  const at::ScalarType type = x.scalar_type();
  return type == at::kDouble || type == at::kBFloat16 ? type : at::kFloat;
}
at::Tensor ForKernels(const at::Tensor& x) { return x.to(TypeForKernels(x)).contiguous(); }

// x and x_hat are contiguous; x_hat has x's dtype, or bfloat16 where x is float32. Fills `saved`, if that is given, and
// makes it if it is undefined.
void RunForwardInto(const at::Tensor& x, const QuantizerSpec& spec, at::Tensor& x_hat, at::Tensor* saved = nullptr) {
  const Estimator& estimator = CheckedEstimator(spec, x.size(-1));
  WithNumbers(x.scalar_type(), x_hat.scalar_type(),
              [&]<typename X, typename V>() { ForwardInto<X, V>(estimator, spec, x, x_hat, saved); });
}

// x_hat in `out`: x's dtype, or bfloat16 where x is float32.
at::Tensor RunForward(const at::Tensor& x, const QuantizerSpec& spec, at::ScalarType out, at::Tensor* saved = nullptr) {
  const at::Tensor in = ForKernels(x);
  at::Tensor x_hat = at::empty(in.sizes(), in.options().dtype(out == at::kBFloat16 ? out : in.scalar_type()));
  RunForwardInto(in, spec, x_hat, saved);
  return x_hat.to(out);
}

// v, dx: x's dtype, or both bfloat16 where x is float32; contiguous.
void RunBackward(const at::Tensor& x, const at::Tensor& saved, const at::Tensor& v, const QuantizerSpec& spec,
                 at::Tensor& dx) {
  const Estimator& estimator = CheckedEstimator(spec, x.size(-1));
  WithNumbers(x.scalar_type(), v.scalar_type(),
              [&]<typename X, typename V>() { BackwardInto<X, V>(estimator, spec, x, saved, v, dx); });
}

// v, dx: of one dtype, contiguous.
void RunPassTrusted(const at::Tensor& saved, const at::Tensor& v, const QuantizerSpec& spec, at::Tensor& dx) {
  WithNumbers(v.scalar_type(), v.scalar_type(),
              [&]<typename X, typename>() { PassTrustedInto<X>(spec, saved, v, dx); });
}

// What is stored of x stands for: what the kernels have written, with scales in steps of the row.
void DecodeStored(const at::Tensor& x, const QuantizerSpec& spec, at::Tensor& x_hat) {
  const int64_t features = x.size(-1), rows = x.numel() / features;
  const float* in = NumbersOf<float>(x);
  ForRows(rows, features, [&](int64_t begin, int64_t end) {
    const std::span<const float> numbers(in + begin * features, static_cast<size_t>((end - begin) * features));
    const absl::StatusOr<PackedTensor> packed = Encode(spec, numbers, end - begin, features);
    TORCH_CHECK(packed.ok(), std::string(packed.status().message()));
    const Rotated rotated = spec.stays_rotated ? Rotated::kStays : Rotated::kBack;
    const auto decode = [&](auto* numbers_out) {
      DecodeRows(packed->view(), 0, end - begin, rotated, numbers_out + begin * features);
    };
    if (x_hat.scalar_type() == at::kFloat)
      decode(MutableNumbersOf<float>(x_hat));
    else
      decode(MutableNumbersOf<BFloat16>(x_hat));
  });
}

void CheckMaster(const at::Tensor& x) {
  TORCH_CHECK(x.scalar_type() == at::kFloat, "master weights are float32, not ", x.scalar_type());
}

struct SavedSpec : torch::CustomClassHolder {
  explicit SavedSpec(const QuantizerSpec& spec) : spec(spec) {}
  QuantizerSpec spec;
};

// Whether whoever holds this may write into it: nobody else sees what it holds, views and saved variables included.
bool IsSoleOwner(const at::Tensor& tensor) { return tensor.use_count() == 1 && tensor.storage().use_count() == 1; }

// Whether the kernels may leave x_hat where x is.
bool FitsKernels(const at::Tensor& x) { return x.scalar_type() == TypeForKernels(x) && x.is_contiguous(); }
bool NeedsInputForGradient(const QuantizerSpec& spec) { return !PassesGradient(spec) && !PassesTrustedGradient(spec); }

class FakeQuantizeFunction : public torch::autograd::Function<FakeQuantizeFunction> {
 public:
  // x_hat is written over x where the caller says so; x itself then goes on as x_hat.
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const QuantizerSpec& spec, bool overwrites) {
    // The graph may outlive the caller's spec, so it keeps its own copy.
    context->saved_data["spec"] = c10::IValue::make_capsule(c10::make_intrusive<SavedSpec>(spec));
    at::Tensor saved, x_hat = x;
    at::Tensor* wanted = PassesGradient(spec) ? nullptr : &saved;
    if (overwrites) {
      RunForwardInto(x, spec, x_hat, wanted);
      context->mark_dirty({x});
    } else {
      x_hat = RunForward(x, spec, x.scalar_type(), wanted);
    }
    if (!PassesGradient(spec)) context->save_for_backward({NeedsInputForGradient(spec) ? x : at::Tensor(), saved});
    return x_hat;
  }

  // The gradient is written over that of x_hat where this pass is the last to see it.
  static variable_list backward(AutogradContext* context, variable_list& grad_outputs) {
    const auto kept = c10::static_intrusive_pointer_cast<SavedSpec>(context->saved_data["spec"].toCapsule());
    const QuantizerSpec& spec = kept->spec;
    if (PassesGradient(spec)) return {grad_outputs[0], at::Tensor(), at::Tensor()};
    const at::ScalarType type = grad_outputs[0].scalar_type();
    const at::Tensor v = ForKernels(std::exchange(grad_outputs[0], at::Tensor()));
    at::Tensor dx = IsSoleOwner(v) ? v : at::empty_like(v);
    const variable_list x_and_saved = context->get_saved_variables();
    if (PassesTrustedGradient(spec))
      RunPassTrusted(x_and_saved[1], v, spec, dx);
    else
      RunBackward(ForKernels(x_and_saved[0]), x_and_saved[1], v, spec, dx);
    return {dx.to(type), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor FakeQuantize(at::Tensor x, const QuantizerSpec& spec) {
  if (!spec.enabled()) return x;
  const bool may_overwrite = IsSoleOwner(x) && FitsKernels(x);
  if (at::GradMode::is_enabled()) {
    const bool is_trained = x.is_leaf() && x.requires_grad();
    return FakeQuantizeFunction::apply(x, spec, may_overwrite && !is_trained && !NeedsInputForGradient(spec));
  }
  QuantizerSpec in_use = spec;
  in_use.hard_rounding = true;
  if (!may_overwrite) return RunForward(x, in_use, x.scalar_type());
  RunForwardInto(x, in_use, x);
  return x;
}

at::Tensor QuantizedValues(const at::Tensor& x, const QuantizerSpec& spec, at::ScalarType out) {
  at::Tensor x_hat = at::empty(x.sizes(), x.options().dtype(out));
  QuantizeInto(x, spec, x_hat);
  return x_hat;
}

void QuantizeInto(const at::Tensor& x, const QuantizerSpec& spec, at::Tensor& x_hat, at::Tensor* saved) {
  CheckMaster(x);
  const at::ScalarType out = x_hat.scalar_type();
  TORCH_CHECK(out == at::kFloat || out == at::kBFloat16, "quantized values come in float32 or bfloat16, not ", out);
  TORCH_CHECK(x_hat.sizes() == x.sizes() && x_hat.is_contiguous(), "x_hat is ", x_hat.sizes(), ", x is ", x.sizes(),
              ": use a contiguous tensor of the same shape");
  at::NoGradGuard no_grad;
  if (spec.enabled()) {
    const at::Tensor master = x.contiguous();
    RunForwardInto(master, spec, x_hat, saved);
    if (spec.scale_precision == ScalePrecision::kInt8 && spec.quantizes()) DecodeStored(master, spec, x_hat);
    return;
  }
  x_hat.copy_(x);
  if (saved != nullptr) saved->reset();
}

void QuantizedGradient(const at::Tensor& x, const at::Tensor& saved, const at::Tensor& v, const QuantizerSpec& spec,
                       at::Tensor& dx) {
  TORCH_CHECK(v.sizes() == x.sizes() && dx.sizes() == x.sizes(), "x ", x.sizes(), ", v ", v.sizes(), " and dx ",
              dx.sizes(), " differ in shape");
  TORCH_CHECK(v.scalar_type() == at::kFloat || v.scalar_type() == at::kBFloat16,
              "gradients of quantized values come in float32 or bfloat16, not ", v.scalar_type());
  TORCH_CHECK(dx.scalar_type() == v.scalar_type(), "v is ", v.scalar_type(), " and dx ", dx.scalar_type(),
              ": a gradient keeps its dtype");
  TORCH_CHECK(x.is_contiguous() && v.is_contiguous() && dx.is_contiguous(), "x, v and dx must be contiguous");
  at::NoGradGuard no_grad;
  if (!spec.enabled() || PassesGradient(spec)) {
    dx.copy_(v);
  } else if (PassesTrustedGradient(spec)) {
    RunPassTrusted(saved, v, spec, dx);
  } else {
    CheckMaster(x);
    RunBackward(x, saved, v, spec, dx);
  }
}

double QuantErrorRatio(const at::Tensor& x, const QuantizerSpec& spec) {
  at::Tensor original = x.detach().to(at::kDouble);
  double energy = original.square().sum().item<double>();
  if (!spec.enabled() || energy == 0) return 0;
  QuantizerSpec in_use = spec;
  in_use.hard_rounding = true;
  in_use.stays_rotated = false;
  return (RunForward(original, in_use, at::kDouble) - original).square().sum().item<double>() / energy;
}

}  // namespace ridgeline
