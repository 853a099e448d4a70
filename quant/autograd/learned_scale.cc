// SPDX-License-Identifier: Apache-2.0
#include "quant/autograd/learned_scale.h"

#include <algorithm>

#include "quant/autograd/torch_pch.h"
#include "quant/kernels/learned_scale.h"

namespace ridgeline {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kElementsPerThread = 16 * 1024;

LearnedLevels LevelsOrThrow(const QuantizerSpec& spec) {
  absl::StatusOr<LearnedLevels> levels = LearnedLevelsOf(spec);
  TORCH_CHECK(levels.ok(), std::string(levels.status().message()));
  return *levels;
}

int64_t RowsOf(const at::Tensor& x) { return x.numel() / std::max<int64_t>(1, x.size(-1)); }

template <typename Function>
void ForRows(const at::Tensor& x, const Function& function) {
  const int64_t features = std::max<int64_t>(1, x.size(-1));
  at::parallel_for(0, RowsOf(x), std::max<int64_t>(1, kElementsPerThread / features), function);
}

// x, v and dx in X, scales in T: what the kernels have.
template <typename X, typename T>
void ForwardInto(const LearnedLevels& levels, const at::Tensor& x, const at::Tensor& scale, at::Tensor& x_hat) {
  const int64_t features = x.size(-1);
  const X* in = static_cast<const X*>(x.const_data_ptr());
  const T* scales = scale.const_data_ptr<T>();
  X* out = static_cast<X*>(x_hat.mutable_data_ptr());
  ForRows(x, [&](int64_t begin, int64_t end) {
    LearnedScaleForward(levels, in + begin * features, scales + begin, end - begin, features, out + begin * features);
  });
}

template <typename X, typename T>
void BackwardInto(const LearnedLevels& levels, const at::Tensor& x, const at::Tensor& v, const at::Tensor& scale,
                  at::Tensor& dx, at::Tensor& d_scale) {
  const int64_t features = x.size(-1);
  const X *in = static_cast<const X*>(x.const_data_ptr()), *grad = static_cast<const X*>(v.const_data_ptr());
  const T* scales = scale.const_data_ptr<T>();
  X* out = static_cast<X*>(dx.mutable_data_ptr());
  T* scale_out = d_scale.mutable_data_ptr<T>();
  ForRows(x, [&](int64_t begin, int64_t end) {
    const int64_t at = begin * features;
    LearnedScaleBackward(levels, in + at, grad + at, scales + begin, end - begin, features, out + at,
                         scale_out + begin);
  });
}

// The dtype of the kernels' scales, and that of their numbers.
at::ScalarType ScaleType(const at::Tensor& x) { return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat; }
at::ScalarType KernelType(const at::Tensor& x) {
  return x.scalar_type() == at::kBFloat16 ? at::kBFloat16 : ScaleType(x);
}

// Calls function.operator()<X, T>() for the kernels' names of x's dtype and that of its scales.
template <typename Function>
void WithNumbers(const at::Tensor& x, const Function& function) {
  if (x.scalar_type() == at::kDouble) return function.template operator()<double, double>();
  if (x.scalar_type() == at::kBFloat16) return function.template operator()<BFloat16, float>();
  function.template operator()<float, float>();
}

struct SavedLevels : torch::CustomClassHolder {
  explicit SavedLevels(const LearnedLevels& levels) : levels(levels) {}
  LearnedLevels levels;
};

// The scale that files have of it, where the spec says so. No gradient sees the rounding.
at::Tensor Stored(const at::Tensor& scale, const QuantizerSpec& spec) {
  if (spec.scale_precision == ScalePrecision::kComputed) return scale;
  return scale.clamp_max(kFloat16.largest).to(at::kHalf).to(scale.scalar_type());
}

// x: (..., features), scale: (rows) in ScaleType(x).
class LearnedScaleFunction : public torch::autograd::Function<LearnedScaleFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& learned,
                            const LearnedLevels& levels, const QuantizerSpec& spec) {
    const at::Tensor scale = Stored(learned, spec);
    context->save_for_backward({x, scale});
    context->saved_data["levels"] = c10::IValue::make_capsule(c10::make_intrusive<SavedLevels>(levels));
    at::Tensor in = x.to(KernelType(x)).contiguous(), x_hat = at::empty_like(in);
    WithNumbers(in, [&]<typename X, typename T>() { ForwardInto<X, T>(levels, in, scale, x_hat); });
    return x_hat.to(x.scalar_type());
  }

  static variable_list backward(AutogradContext* context, variable_list grad_outputs) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &scale = saved[1];
    auto levels = c10::static_intrusive_pointer_cast<SavedLevels>(context->saved_data["levels"].toCapsule());
    at::Tensor in = x.to(KernelType(x)).contiguous(), v = grad_outputs[0].to(in.scalar_type()).contiguous();
    at::Tensor dx = at::empty_like(in), d_scale = at::empty_like(scale);
    WithNumbers(in, [&]<typename X, typename T>() { BackwardInto<X, T>(levels->levels, in, v, scale, dx, d_scale); });
    return {dx.to(x.scalar_type()), d_scale, at::Tensor(), at::Tensor()};
  }
};

// The paper's balance between a scale's steps and those of what it quantizes.
double GradientFactor(const LearnedLevels& levels, int64_t numbers) {
  return 1 / std::sqrt(static_cast<double>(numbers) * levels.gradient_q);
}

// The value of the scale, to the last bit, with that factor on its gradient: a scale that is off by a bit may become
// another float16 than the one that codes are stored with.
at::Tensor Balanced(const at::Tensor& scale, const LearnedLevels& levels, int64_t numbers) {
  const at::Tensor scaled = scale * GradientFactor(levels, numbers);
  return (scale.detach() + (scaled - scaled.detach())).clamp_min(kSmallestLearnedScale);
}

void CheckScale(const at::Tensor& x, const at::Tensor& scale, int64_t numbers) {
  TORCH_CHECK(scale.dim() == 2 && scale.size(1) == 1 && (scale.size(0) == 1 || scale.size(0) == RowsOf(x)),
              "a scale of shape ", scale.sizes(), " does not fit ", RowsOf(x), " rows: use (rows, 1) or (1, 1)");
  TORCH_CHECK(numbers > 0, "numbers is ", numbers, ": count what shares a scale");
}

// (rows), contiguous, in ScaleType(x).
at::Tensor OfRows(const at::Tensor& scale, const at::Tensor& x) {
  return scale.to(ScaleType(x)).expand({RowsOf(x), 1}).reshape({-1}).contiguous();
}

}  // namespace

at::Tensor InitialScale(const at::Tensor& x, const QuantizerSpec& spec) {
  const LearnedLevels levels = LevelsOrThrow(spec);
  at::Tensor rows = x.detach().to(ScaleType(x)).reshape({-1, x.size(-1)}).abs();
  if (spec.granularity != Granularity::kRow) rows = rows.reshape({1, -1});
  at::Tensor mean = rows.mean(1, true), largest = std::get<0>(rows.max(1, true));
  at::Tensor scale = largest / levels.outermost;
  if (levels.start == ScaleStart::kMeanAbs) scale = mean;
  if (levels.start == ScaleStart::kTwiceMeanAbs) scale = 2 * mean / std::sqrt(levels.gradient_q);
  return scale.clamp_min(kSmallestLearnedScale);
}

at::Tensor FakeQuantizeLearned(const at::Tensor& x, const at::Tensor& scale, const QuantizerSpec& spec,
                               int64_t numbers) {
  if (!spec.enabled()) return x;
  const LearnedLevels levels = LevelsOrThrow(spec);
  CheckScale(x, scale, numbers);
  return LearnedScaleFunction::apply(x, OfRows(Balanced(scale, levels, numbers), x), levels, spec);
}

LearnedGradients LearnedScaleGradients(const at::Tensor& x, const at::Tensor& v, const at::Tensor& scale,
                                       const QuantizerSpec& spec, int64_t numbers) {
  const LearnedLevels levels = LevelsOrThrow(spec);
  CheckScale(x, scale, numbers);
  TORCH_CHECK(x.scalar_type() == at::kFloat && scale.scalar_type() == at::kFloat && x.is_contiguous(),
              "weights and their scales are contiguous and float32");
  at::NoGradGuard no_grad;
  const at::Tensor of_rows = Stored(OfRows(scale.clamp_min(kSmallestLearnedScale), x), spec);
  at::Tensor dx = at::empty_like(x), d_rows = at::empty_like(of_rows);
  BackwardInto<float, float>(levels, x, v.to(at::kFloat).contiguous(), of_rows, dx, d_rows);
  const at::Tensor d_scale = scale.size(0) == 1 ? d_rows.sum().reshape({1, 1}) : d_rows.reshape({-1, 1});
  const at::Tensor moves = (scale >= kSmallestLearnedScale).to(at::kFloat);
  return {dx, d_scale * moves * GradientFactor(levels, numbers)};
}

// Clamp and rounding as the papers write them; only rounding is detached.
at::Tensor FakeQuantizeLearned_ref(const at::Tensor& x, const at::Tensor& scale, const QuantizerSpec& spec,
                                   int64_t numbers) {
  if (!spec.enabled()) return x;
  const LearnedLevels levels = LevelsOrThrow(spec);
  const at::Tensor balanced = Balanced(scale, levels, numbers);
  at::Tensor s = balanced + (Stored(balanced, spec) - balanced).detach(), f = x.reshape({-1, x.size(-1)}) / s, q;
  auto rounded = [](const at::Tensor& clamped, const at::Tensor& nearest) {
    return clamped + (nearest - clamped).detach();
  };
  if (levels.kind == LevelKind::kUniform) {
    at::Tensor clamped = f.clamp(levels.lowest, levels.highest);
    q = rounded(clamped, clamped.round());
  } else if (levels.kind == LevelKind::kStretched) {
    at::Tensor inside = f.detach().abs() <= 0.99, stretched = f.clamp(-0.99, 0.99) * levels.n - levels.shift;
    at::Tensor level = (stretched.round() + levels.shift) / levels.n;
    q = at::where(inside, rounded(f, level), level.detach());
  } else if (levels.kind == LevelKind::kPowersOfRootTwo) {
    std::vector<double> table = {0};
    for (int k = 0; k < static_cast<int>(levels.highest); ++k)
      for (double sign : {1.0, -1.0}) table.push_back(sign * std::exp2(-k / 2.0));
    const at::Tensor t = at::tensor(table, at::kDouble).to(f.scalar_type());
    at::Tensor level =
        t.index_select(0, (f.detach().unsqueeze(-1) - t).abs().argmin(-1).reshape(-1)).reshape(f.sizes());
    q = at::where(f.detach().abs() <= 1, rounded(f, level), level);
  } else {
    at::Tensor sign = at::where(f.detach() < 0, at::full_like(f, -1), at::ones_like(f)).detach();
    // dL/dx passes within +-1, the scale receives the sign alone.
    at::Tensor inside = (f.detach().abs() <= 1).to(x.scalar_type()), rows = x.reshape({-1, x.size(-1)});
    return (sign * s + inside * (rows - rows.detach())).reshape(x.sizes());
  }
  return (q * s).reshape(x.sizes());
}

}  // namespace ridgeline
