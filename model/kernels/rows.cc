// SPDX-License-Identifier: Apache-2.0
#include "model/kernels/rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/rows.cc"
#include <hwy/foreach_target.h>

#include <hwy/contrib/math/math-inl.h>

#include "model/kernels/bf16-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline::rows {
namespace HWY_NAMESPACE {

const Floats d;

template <typename T>
float RmsNormRow(const T* x, const float* weight, float epsilon, int64_t n, T* y) {
  Vector squares = hn::Zero(d);
  ForVectors(n, [&](int64_t i, auto at) {
    const Vector v = at.Get(x + i, 0);
    squares = hn::MulAdd(v, v, squares);
  });
  const float inverse_rms = 1.0f / __builtin_sqrtf(Total(squares) / static_cast<float>(n) + epsilon);
  const Vector scale = hn::Set(d, inverse_rms), one = hn::Set(d, 1);
  ForVectors(n, [&](int64_t i, auto at) {
    at.Put(hn::Mul(hn::Mul(at.Get(x + i, 0), scale), hn::Add(one, at.Get(weight + i, 0))), y + i);
  });
  return inverse_rms;
}

// With u = x / rms and h = g (1 + w): dx = (h - u mean(h u)) / rms, dw = g u.
template <typename T>
void RmsNormBackwardRow(const T* x, const float* weight, float inverse_rms, const T* g, int64_t n, T* dx,
                        float* dweight) {
  const Vector scale = hn::Set(d, inverse_rms), one = hn::Set(d, 1);
  Vector products = hn::Zero(d);
  ForVectors(n, [&](int64_t i, auto at) {
    const Vector u = hn::Mul(at.Get(x + i, 0), scale), gradient = at.Get(g + i, 0);
    const Vector gu = hn::Mul(gradient, u);
    products = hn::MulAdd(gu, hn::Add(one, at.Get(weight + i, 0)), products);
    at.Put(hn::Add(at.Get(dweight + i, 0), gu), dweight + i);
  });
  const Vector mean = hn::Set(d, Total(products) / static_cast<float>(n));
  ForVectors(n, [&](int64_t i, auto at) {
    const Vector u = hn::Mul(at.Get(x + i, 0), scale);
    const Vector h = hn::Mul(at.Get(g + i, 0), hn::Add(one, at.Get(weight + i, 0)));
    at.Put(hn::Mul(hn::NegMulAdd(u, mean, h), scale), dx + i);
  });
}

template <typename T>
void RotateRow(const T* x, const float* cosines, const float* sines, float direction, int64_t half, T* y) {
  const Vector sign = hn::Set(d, direction);
  ForVectors(half, [&](int64_t i, auto at) {
    const Vector a = at.Get(x + i, 0), b = at.Get(x + half + i, 0);
    const Vector c = at.Get(cosines + i, 0), s = hn::Mul(sign, at.Get(sines + i, 0));
    at.Put(hn::NegMulAdd(b, s, hn::Mul(a, c)), y + i);
    at.Put(hn::MulAdd(a, s, hn::Mul(b, c)), y + half + i);
  });
}

constexpr float kGeluInner = 0.7978845608028654f;  // sqrt(2 / pi)
constexpr float kGeluCubic = 0.044715f;

// tanh(kGeluInner (x + kGeluCubic x^3)), by exp so that large |x| end at +-1.
HWY_INLINE Vector GeluTanh(Vector x) {
  const Vector inner =
      hn::Mul(hn::Set(d, kGeluInner), hn::MulAdd(hn::Mul(hn::Set(d, kGeluCubic), hn::Mul(x, x)), x, x));
  const Vector bounded = hn::Min(hn::Max(inner, hn::Set(d, -15)), hn::Set(d, 15));
  const Vector e = hn::Exp(d, hn::Add(bounded, bounded));
  const Vector one = hn::Set(d, 1);
  return hn::Sub(one, hn::Div(hn::Set(d, 2), hn::Add(e, one)));
}

template <typename T>
void GegluRow(const T* gate, const T* up, int64_t n, T* y) {
  const Vector half = hn::Set(d, 0.5f);
  ForVectors(n, [&](int64_t i, auto at) {
    const Vector x = at.Get(gate + i, 0), t = GeluTanh(x);
    const Vector gelu = hn::MulAdd(hn::Mul(half, x), t, hn::Mul(half, x));
    at.Put(hn::Mul(gelu, at.Get(up + i, 0)), y + i);
  });
}

// gelu'(x) = (1 + t) / 2 + x (1 - t^2) kGeluInner (1 + 3 kGeluCubic x^2) / 2
template <typename T>
void GegluBackwardRow(const T* gate, const T* up, const T* g, int64_t n, T* dgate, T* dup) {
  const Vector half = hn::Set(d, 0.5f), one = hn::Set(d, 1);
  ForVectors(n, [&](int64_t i, auto at) {
    const Vector x = at.Get(gate + i, 0), t = GeluTanh(x), gradient = at.Get(g + i, 0);
    const Vector half_x = hn::Mul(half, x);
    const Vector inner = hn::Mul(hn::Set(d, kGeluInner), hn::MulAdd(hn::Set(d, 3 * kGeluCubic), hn::Mul(x, x), one));
    const Vector slope = hn::MulAdd(hn::Mul(half_x, hn::NegMulAdd(t, t, one)), inner, hn::MulAdd(half, t, half));
    at.Put(hn::Mul(hn::Mul(gradient, at.Get(up + i, 0)), slope), dgate + i);
    at.Put(hn::Mul(gradient, hn::MulAdd(half_x, t, half_x)), dup + i);
  });
}

constexpr float kLowest = -3.4028235e38f;

struct Maximum {
  float value;
  int64_t index;
};

// The first of equals. n < 2^31.
template <typename T>
HWY_INLINE Maximum LargestOf(const T* x, int64_t n) {
  Vector largest = hn::Set(d, kLowest);
  ForVectors(n, [&](int64_t i, auto at) { largest = hn::Max(largest, at.Get(x + i, kLowest)); });
  const float value = hn::GetLane(hn::MaxOfLanes(d, largest));
  const Vector wanted = hn::Set(d, value);
  const int64_t lanes = LaneCount();
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const intptr_t found = hn::FindFirstTrue(d, hn::Eq(Load(x + i), wanted));
    if (found >= 0) return {value, i + found};
  }
  for (; i < n; ++i)
    if (ToFloat(x[i]) == value) return {value, i};
  return {value, 0};  // Only NaNs.
}

// Sum of exp((x - largest) * inverse_temperature), over short runs so that 262,144 terms add up exactly enough.
template <typename T>
HWY_INLINE double SumOfExponentials(const T* x, int64_t n, float largest, float inverse_temperature) {
  constexpr int64_t kRun = 4096;
  const Vector shift = hn::Set(d, largest), scale = hn::Set(d, inverse_temperature);
  double total = 0;
  for (int64_t begin = 0; begin < n; begin += kRun) {
    Vector sum = hn::Zero(d);
    const T* run = x + begin;
    ForVectors(n - begin < kRun ? n - begin : kRun, [&](int64_t i, auto at) {
      const Vector x = at.Get(run + i, -1e30f);
      const Vector term = hn::Exp(d, hn::Mul(hn::Sub(x, shift), scale));
      sum = hn::Add(sum, hn::IfThenElse(hn::IsNaN(x), x, term));  // Exp would hide it.
    });
    total += Total(sum);
  }
  return total;
}

// In double: logits of some tens would cost a float its last digits.
HWY_INLINE float Loss(double sum, float largest, float target) {
  return static_cast<float>(__builtin_log(sum) + (double{largest} - double{target}));
}

template <typename T>
RowScore ScoreRow(const T* logits, int64_t n, int64_t target) {
  const Maximum largest = LargestOf(logits, n);
  const double sum = SumOfExponentials(logits, n, largest.value, 1);
  return {Loss(sum, largest.value, ToFloat(logits[target])), largest.index};
}

template <typename T>
RowScore ScoreInPlaceRow(T* logits, int64_t n, int64_t target, float scale) {
  const Maximum largest = LargestOf(logits, n);
  const double sum = SumOfExponentials(logits, n, largest.value, 1);
  const float target_logit = ToFloat(logits[target]);
  const Vector shift = hn::Set(d, largest.value), factor = hn::Set(d, scale / static_cast<float>(sum));
  ForVectors(n, [&](int64_t i, auto at) {
    at.Put(hn::Mul(factor, hn::Exp(d, hn::Sub(at.Get(logits + i, 0), shift))), logits + i);
  });
  const double p = __builtin_exp(double{target_logit} - double{largest.value}) / sum;
  FromFloat(static_cast<float>(scale * (p - 1)), logits + target);
  return {Loss(sum, largest.value, target_logit), largest.index};
}

template <typename T>
float DistillInPlaceRow(T* logits, T* teacher, int64_t n, float temperature, float scale) {
  const float inverse = 1 / temperature;
  const float largest = LargestOf(logits, n).value, teacher_largest = LargestOf(teacher, n).value;
  const float sum = static_cast<float>(SumOfExponentials(logits, n, largest, inverse));
  const float teacher_sum = static_cast<float>(SumOfExponentials(teacher, n, teacher_largest, inverse));
  // log p_teacher - log p_student = (teacher - logits) / T + offset
  const float offset = (largest - teacher_largest) * inverse + __builtin_logf(sum) - __builtin_logf(teacher_sum);
  const Vector shift = hn::Set(d, largest), teacher_shift = hn::Set(d, teacher_largest), rate = hn::Set(d, inverse);
  const Vector over_sum = hn::Set(d, 1 / sum), over_teacher_sum = hn::Set(d, 1 / teacher_sum);
  const Vector factor = hn::Set(d, scale * temperature), add = hn::Set(d, offset);
  Vector divergence = hn::Zero(d);
  ForVectors(n, [&](int64_t i, auto at) {
    const Vector x = at.Get(logits + i, -1e30f), y = at.Get(teacher + i, -1e30f);
    const Vector p = hn::Mul(hn::Exp(d, hn::Mul(hn::Sub(x, shift), rate)), over_sum);
    const Vector q = hn::Mul(hn::Exp(d, hn::Mul(hn::Sub(y, teacher_shift), rate)), over_teacher_sum);
    divergence = hn::MulAdd(q, hn::MulAdd(hn::Sub(y, x), rate, add), divergence);
    at.Put(hn::Mul(factor, hn::Sub(p, q)), logits + i);
  });
  return Total(divergence) * temperature * temperature;
}

template <typename T>
void AdamwRow(const AdamwStep& step, const T* g, int64_t n, float* weight, float* m, float* v, Bfloat16* copy) {
  const Vector scale = hn::Set(d, step.gradient_scale), beta1 = hn::Set(d, step.beta1), beta2 = hn::Set(d, step.beta2);
  const Vector rest1 = hn::Set(d, 1 - step.beta1), rest2 = hn::Set(d, 1 - step.beta2);
  const Vector rate = hn::Set(d, step.learning_rate / step.correction1), epsilon = hn::Set(d, step.epsilon);
  const Vector unbias = hn::Set(d, 1 / __builtin_sqrtf(step.correction2));
  const Vector keep = hn::Set(d, 1 - step.learning_rate * step.weight_decay);
  ForVectors(n, [&](int64_t i, auto at) {
    const Vector gradient = hn::Mul(at.Get(g + i, 0), scale);
    const Vector mean = hn::MulAdd(beta1, at.Get(m + i, 0), hn::Mul(rest1, gradient));
    const Vector square = hn::MulAdd(beta2, at.Get(v + i, 0), hn::Mul(rest2, hn::Mul(gradient, gradient)));
    const Vector spread = hn::MulAdd(hn::Sqrt(square), unbias, epsilon);
    const Vector updated = hn::NegMulAdd(rate, hn::Div(mean, spread), hn::Mul(keep, at.Get(weight + i, 0)));
    at.Put(mean, m + i);
    at.Put(square, v + i);
    at.Put(updated, weight + i);
    if (copy != nullptr) at.Put(updated, copy + i);
  });
}

// In float64, in which squares are exact: however a tensor is cut, the norm made of its parts hardly differs.
template <typename T>
double SumOfSquaresRow(const T* x, int64_t n) {
  const hn::Rebind<double, hn::Half<Floats>> wide;
  auto low = hn::Zero(wide), high = hn::Zero(wide);
  ForVectors(n, [&](int64_t i, auto at) {
    const Vector v = at.Get(x + i, 0);
#if HWY_TARGET == HWY_SCALAR
    const auto v_low = hn::PromoteTo(wide, v);
#else
    const auto v_low = hn::PromoteTo(wide, hn::LowerHalf(v));
    const auto v_high = hn::PromoteTo(wide, hn::UpperHalf(hn::Half<Floats>(), v));
    high = hn::MulAdd(v_high, v_high, high);
#endif
    low = hn::MulAdd(v_low, v_low, low);
  });
  return hn::GetLane(hn::SumOfLanes(wide, hn::Add(low, high)));
}

// One exported name for each function and element type.
#define RIDGELINE_ROW_FUNCTIONS(T, Suffix)                                                                          \
  float RmsNorm##Suffix(const T* x, const float* w, float e, int64_t n, T* y) { return RmsNormRow(x, w, e, n, y); } \
  void RmsNormBackward##Suffix(const T* x, const float* w, float r, const T* g, int64_t n, T* dx, float* dw) {      \
    RmsNormBackwardRow(x, w, r, g, n, dx, dw);                                                                      \
  }                                                                                                                 \
  void Rotate##Suffix(const T* x, const float* c, const float* s, float sign, int64_t half, T* y) {                 \
    RotateRow(x, c, s, sign, half, y);                                                                              \
  }                                                                                                                 \
  void Geglu##Suffix(const T* gate, const T* up, int64_t n, T* y) { GegluRow(gate, up, n, y); }                     \
  void GegluBackward##Suffix(const T* gate, const T* up, const T* g, int64_t n, T* dgate, T* dup) {                 \
    GegluBackwardRow(gate, up, g, n, dgate, dup);                                                                   \
  }                                                                                                                 \
  RowScore Score##Suffix(const T* logits, int64_t n, int64_t target) { return ScoreRow(logits, n, target); }        \
  RowScore ScoreInPlace##Suffix(T* logits, int64_t n, int64_t target, float scale) {                                \
    return ScoreInPlaceRow(logits, n, target, scale);                                                               \
  }                                                                                                                 \
  float DistillInPlace##Suffix(T* logits, T* teacher, int64_t n, float temperature, float scale) {                  \
    return DistillInPlaceRow(logits, teacher, n, temperature, scale);                                               \
  }                                                                                                                 \
  void Adamw##Suffix(const AdamwStep& step, const T* g, int64_t n, float* w, float* m, float* v, Bfloat16* copy) {  \
    AdamwRow(step, g, n, w, m, v, copy);                                                                            \
  }                                                                                                                 \
  double SumOfSquares##Suffix(const T* x, int64_t n) { return SumOfSquaresRow(x, n); }

RIDGELINE_ROW_FUNCTIONS(float, F32)
RIDGELINE_ROW_FUNCTIONS(Bfloat16, Bf16)

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline::rows
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline::rows {

#define RIDGELINE_DISPATCH_ROWS(T, Suffix)                                                                 \
  HWY_EXPORT(RmsNorm##Suffix);                                                                             \
  HWY_EXPORT(RmsNormBackward##Suffix);                                                                     \
  HWY_EXPORT(Rotate##Suffix);                                                                              \
  HWY_EXPORT(Geglu##Suffix);                                                                               \
  HWY_EXPORT(GegluBackward##Suffix);                                                                       \
  HWY_EXPORT(Score##Suffix);                                                                               \
  HWY_EXPORT(ScoreInPlace##Suffix);                                                                        \
  HWY_EXPORT(DistillInPlace##Suffix);                                                                      \
  HWY_EXPORT(Adamw##Suffix);                                                                               \
  HWY_EXPORT(SumOfSquares##Suffix);                                                                        \
  template <>                                                                                              \
  float RmsNorm(const T* x, const float* w, float e, int64_t n, T* y) {                                    \
    return HWY_DYNAMIC_DISPATCH(RmsNorm##Suffix)(x, w, e, n, y);                                           \
  }                                                                                                        \
  template <>                                                                                              \
  void RmsNormBackward(const T* x, const float* w, float r, const T* g, int64_t n, T* dx, float* dw) {     \
    HWY_DYNAMIC_DISPATCH(RmsNormBackward##Suffix)(x, w, r, g, n, dx, dw);                                  \
  }                                                                                                        \
  template <>                                                                                              \
  void Rotate(const T* x, const float* c, const float* s, float sign, int64_t half, T* y) {                \
    HWY_DYNAMIC_DISPATCH(Rotate##Suffix)(x, c, s, sign, half, y);                                          \
  }                                                                                                        \
  template <>                                                                                              \
  void Geglu(const T* gate, const T* up, int64_t n, T* y) {                                                \
    HWY_DYNAMIC_DISPATCH(Geglu##Suffix)(gate, up, n, y);                                                   \
  }                                                                                                        \
  template <>                                                                                              \
  void GegluBackward(const T* gate, const T* up, const T* g, int64_t n, T* dgate, T* dup) {                \
    HWY_DYNAMIC_DISPATCH(GegluBackward##Suffix)(gate, up, g, n, dgate, dup);                               \
  }                                                                                                        \
  template <>                                                                                              \
  RowScore ScoreLogits(const T* logits, int64_t n, int64_t target) {                                       \
    return HWY_DYNAMIC_DISPATCH(Score##Suffix)(logits, n, target);                                         \
  }                                                                                                        \
  template <>                                                                                              \
  RowScore ScoreLogitsInPlace(T* logits, int64_t n, int64_t target, float scale) {                         \
    return HWY_DYNAMIC_DISPATCH(ScoreInPlace##Suffix)(logits, n, target, scale);                           \
  }                                                                                                        \
  template <>                                                                                              \
  float DistillLogitsInPlace(T* logits, T* teacher, int64_t n, float temperature, float scale) {           \
    return HWY_DYNAMIC_DISPATCH(DistillInPlace##Suffix)(logits, teacher, n, temperature, scale);           \
  }                                                                                                        \
  template <>                                                                                              \
  void Adamw(const AdamwStep& step, const T* g, int64_t n, float* w, float* m, float* v, Bfloat16* copy) { \
    HWY_DYNAMIC_DISPATCH(Adamw##Suffix)(step, g, n, w, m, v, copy);                                        \
  }                                                                                                        \
  template <>                                                                                              \
  double SumOfSquares(const T* x, int64_t n) {                                                             \
    return HWY_DYNAMIC_DISPATCH(SumOfSquares##Suffix)(x, n);                                               \
  }

RIDGELINE_DISPATCH_ROWS(float, F32)
RIDGELINE_DISPATCH_ROWS(Bfloat16, Bf16)

}  // namespace ridgeline::rows
#endif  // HWY_ONCE
