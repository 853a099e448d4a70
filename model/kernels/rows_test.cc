// SPDX-License-Identifier: Apache-2.0
#include "model/kernels/rows.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <random>

#include "model/kernels/rows_ref.h"
#include "quant/testing/all_close.h"

namespace ridgeline::rows {
namespace {

constexpr double kFloatTolerance = 2e-6;     // Relative to the largest number of a row.
constexpr double kBfloat16Tolerance = 4e-3;  // One rounding to 8 bits of mantissa.
// Whole vectors of every instruction set, and tails of each length class.
const std::vector<int64_t> kLengths = {1, 7, 16, 33, 250, 640};

float Wide(float x) { return x; }
float Wide(Bfloat16 x) {
  const uint32_t word = uint32_t{x.bits} << 16;
  float result;
  std::memcpy(&result, &word, sizeof result);
  return result;
}
void Narrow(double x, float* out) { *out = static_cast<float>(x); }
void Narrow(double x, Bfloat16* out) {
  const float value = static_cast<float>(x);
  uint32_t word;
  std::memcpy(&word, &value, sizeof word);
  out->bits = static_cast<uint16_t>((word + 0x7FFF + ((word >> 16) & 1)) >> 16);
}

template <typename T>
double Tolerance() {
  return sizeof(T) == sizeof(float) ? kFloatTolerance : kBfloat16Tolerance;
}

template <typename T>
std::vector<T> Random(int64_t n, int seed, double spread = 1) {
  std::mt19937 random(static_cast<unsigned>(seed));
  std::normal_distribution<double> normal(0, spread);
  std::vector<T> x(static_cast<size_t>(n));
  for (T& v : x) Narrow(normal(random), &v);
  return x;
}

template <typename T>
Doubles ToDoubles(const std::vector<T>& x) {
  Doubles result;
  for (T v : x) result.push_back(Wide(v));
  return result;
}

template <typename T>
void ExpectNear(const std::vector<T>& ours, const Doubles& expected, double tolerance = Tolerance<T>()) {
  ASSERT_TRUE(AllClose(ToDoubles(ours), expected, tolerance));
}

// d(sum g f(x))/dx by central differences.
Doubles Slope(const std::function<Doubles(const Doubles&)>& f, const Doubles& x, const Doubles& g) {
  constexpr double kStep = 1e-5;
  Doubles slope(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    Doubles up = x, down = x;
    up[i] += kStep;
    down[i] -= kStep;
    const Doubles high = f(up), low = f(down);
    for (size_t j = 0; j < g.size(); ++j) slope[i] += g[j] * (high[j] - low[j]) / (2 * kStep);
  }
  return slope;
}

template <typename T>
class RowsTest : public ::testing::Test {};
using Elements = ::testing::Types<float, Bfloat16>;
TYPED_TEST_SUITE(RowsTest, Elements);

TYPED_TEST(RowsTest, RmsNormAndItsGradientAreThePlainOnes) {
  for (int64_t n : kLengths) {
    SCOPED_TRACE(n);
    const auto x = Random<TypeParam>(n, 1), g = Random<TypeParam>(n, 2);
    const auto weight = Random<float>(n, 3, 0.3);
    std::vector<TypeParam> y(x.size()), dx(x.size());
    const float inverse_rms = RmsNorm(x.data(), weight.data(), 1e-6f, n, y.data());
    auto f = [&](const Doubles& at) { return RmsNorm_ref(at, ToDoubles(weight), 1e-6); };
    ExpectNear(y, f(ToDoubles(x)));
    std::vector<float> dweight(x.size(), 0);
    RmsNormBackward(x.data(), weight.data(), inverse_rms, g.data(), n, dx.data(), dweight.data());
    // With one feature the exact gradient is zero but for epsilon: nothing to compare a relative error with.
    if (n > 1) ExpectNear(dx, Slope(f, ToDoubles(x), ToDoubles(g)), 2 * Tolerance<TypeParam>());
    Doubles expected;
    for (size_t i = 0; i < x.size(); ++i)
      expected.push_back(Wide(g[i]) * Wide(x[i]) * InverseRms_ref(ToDoubles(x), 1e-6));
    ExpectNear(dweight, expected);
  }
}

TYPED_TEST(RowsTest, RotatingBackUndoesARotation) {
  for (int64_t half : kLengths) {
    const auto x = Random<TypeParam>(2 * half, 4);
    std::vector<float> cosines, sines;
    for (int64_t i = 0; i < half; ++i) {
      cosines.push_back(std::cos(0.1f * static_cast<float>(i)));
      sines.push_back(std::sin(0.1f * static_cast<float>(i)));
    }
    std::vector<TypeParam> y(x.size()), back(x.size());
    Rotate(x.data(), cosines.data(), sines.data(), 1, half, y.data());
    ExpectNear(y, Rotate_ref(ToDoubles(x), ToDoubles(cosines), ToDoubles(sines), 1));
    Rotate(y.data(), cosines.data(), sines.data(), -1, half, back.data());
    ExpectNear(back, ToDoubles(x), 2 * Tolerance<TypeParam>());
  }
}

TYPED_TEST(RowsTest, GegluAndItsGradientAreThePlainOnes) {
  for (int64_t n : kLengths) {
    const auto gate = Random<TypeParam>(n, 5, 3), up = Random<TypeParam>(n, 6), g = Random<TypeParam>(n, 7);
    std::vector<TypeParam> y(gate.size()), dgate(gate.size()), dup(gate.size());
    Geglu(gate.data(), up.data(), n, y.data());
    auto f = [&](const Doubles& at) {
      Doubles out;
      for (size_t i = 0; i < at.size(); ++i) out.push_back(Gelu_ref(at[i]) * Wide(up[i]));
      return out;
    };
    ExpectNear(y, f(ToDoubles(gate)));
    GegluBackward(gate.data(), up.data(), g.data(), n, dgate.data(), dup.data());
    ExpectNear(dgate, Slope(f, ToDoubles(gate), ToDoubles(g)), 2 * Tolerance<TypeParam>());
    Doubles expected;
    for (size_t i = 0; i < gate.size(); ++i) expected.push_back(Gelu_ref(Wide(gate[i])) * Wide(g[i]));
    ExpectNear(dup, expected);
  }
}

TYPED_TEST(RowsTest, LargeGatesEndAtTheirLimits) {
  std::vector<TypeParam> gate(2), up(2), y(2);
  Narrow(200, &gate[0]);
  Narrow(-200, &gate[1]);
  Narrow(1, &up[0]);
  Narrow(1, &up[1]);
  Geglu(gate.data(), up.data(), 2, y.data());
  EXPECT_EQ(Wide(y[0]), 200);
  EXPECT_EQ(Wide(y[1]), 0);
}

TYPED_TEST(RowsTest, ScoresAndTheirGradientAreThoseOfSoftmax) {
  for (int64_t n : {int64_t{2}, int64_t{61}, int64_t{5000}, int64_t{262144}}) {
    SCOPED_TRACE(n);
    auto logits = Random<TypeParam>(n, 8, 4);
    const Doubles plain = ToDoubles(logits), p = Softmax_ref(plain);
    const int64_t target = n / 2, best = std::max_element(plain.begin(), plain.end()) - plain.begin();
    const RowScore score = ScoreLogits(logits.data(), n, target);
    EXPECT_NEAR(score.loss, -std::log(p[static_cast<size_t>(target)]), 1e-5);
    EXPECT_EQ(score.best, best);
    const RowScore again = ScoreLogitsInPlace(logits.data(), n, target, 0.5f);
    EXPECT_FLOAT_EQ(again.loss, score.loss);
    EXPECT_EQ(again.best, best);
    Doubles gradient = p;
    gradient[static_cast<size_t>(target)] -= 1;
    for (double& v : gradient) v *= 0.5;
    ExpectNear(logits, gradient);
  }
}

TYPED_TEST(RowsTest, ANanAmongLogitsIsANanLoss) {
  auto logits = Random<TypeParam>(100, 9);
  std::memset(&logits[3], 0xFF, sizeof(TypeParam));
  EXPECT_TRUE(std::isnan(ScoreLogits(logits.data(), 100, 5).loss));
}

TYPED_TEST(RowsTest, DistillationIsTheDivergenceAndItsGradient) {
  constexpr double kTemperature = 2, kScale = 0.25;
  auto student = Random<TypeParam>(300, 10, 2), teacher = Random<TypeParam>(300, 11, 2);
  const Doubles p = Softmax_ref(ToDoubles(student), kTemperature), q = Softmax_ref(ToDoubles(teacher), kTemperature);
  double divergence = 0;
  Doubles gradient;
  for (size_t i = 0; i < p.size(); ++i) {
    divergence += q[i] * std::log(q[i] / p[i]);
    gradient.push_back(kScale * kTemperature * (p[i] - q[i]));
  }
  const float ours = DistillLogitsInPlace(student.data(), teacher.data(), 300, kTemperature, kScale);
  EXPECT_NEAR(ours, kTemperature * kTemperature * divergence, 1e-4 * ours);
  ExpectNear(student, gradient);
}

TYPED_TEST(RowsTest, AdamwStepsAsThePlainOneAndWritesTheCopy) {
  constexpr int64_t kCount = 77;
  const auto g = Random<TypeParam>(kCount, 12);
  auto weight = Random<float>(kCount, 13), m = Random<float>(kCount, 14, 0.1), v = Random<float>(kCount, 15, 0.1);
  for (float& value : v) value = std::abs(value);
  Doubles expected;
  for (size_t i = 0; i < g.size(); ++i)
    expected.push_back(Adamw_ref({weight[i], m[i], v[i]}, 0.5 * Wide(g[i]), 1e-2, 0.9, 0.99, 1e-8, 0.1, 3).weight);
  std::vector<Bfloat16> copy(g.size());
  const AdamwStep step = {.learning_rate = 1e-2f,
                          .beta1 = 0.9f,
                          .beta2 = 0.99f,
                          .epsilon = 1e-8f,
                          .weight_decay = 0.1f,
                          .correction1 = 1 - 0.9f * 0.9f * 0.9f,
                          .correction2 = 1 - 0.99f * 0.99f * 0.99f,
                          .gradient_scale = 0.5f};
  Adamw(step, g.data(), kCount, weight.data(), m.data(), v.data(), copy.data());
  ExpectNear(weight, expected, 1e-5);
  ExpectNear(copy, expected);
}

TYPED_TEST(RowsTest, SumOfSquaresIsExactEnoughForManyTerms) {
  const auto x = Random<TypeParam>(100003, 16);
  double expected = 0;
  for (TypeParam v : x) expected += static_cast<double>(Wide(v)) * Wide(v);
  EXPECT_NEAR(SumOfSquares(x.data(), 100003) / expected, 1, 1e-13);
}

}  // namespace
}  // namespace ridgeline::rows
