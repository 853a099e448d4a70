// SPDX-License-Identifier: Apache-2.0
// Each operation of ops/cpu against the same elsewhere, values and gradients: composed equals fused, on the CPU and, in
// builds with CUDA, on a GPU, where that has operations of its own, too.
#include <gtest/gtest.h>

#include "model/ops/composed/other_ops.h"

namespace ridgeline {
namespace {

// Of the largest number, for both are rounded at each step.
constexpr double kFloatTolerance = 1e-5, kBfloat16Tolerance = 1.0 / 128;  // Two steps of bfloat16's 8 bits.

double ToleranceOf(at::ScalarType dtype) { return dtype == at::kFloat ? kFloatTolerance : kBfloat16Tolerance; }

// Whether a is b within the tolerance of `rounded`: a's dtype, or that of what it was made of.
testing::AssertionResult Equal(const at::Tensor& a, const at::Tensor& b,
                               std::optional<at::ScalarType> rounded = std::nullopt) {
  if (a.sizes() != b.sizes() || a.scalar_type() != b.scalar_type())
    return testing::AssertionFailure() << a.sizes() << " " << a.dtype() << " and " << b.sizes() << " " << b.dtype();
  const at::Tensor wide = a.to(at::kDouble).cpu(), other = b.to(at::kDouble).cpu();
  const double apart = (wide - other).abs().max().item<double>(), largest = other.abs().max().item<double>();
  if (apart <= ToleranceOf(rounded.value_or(a.scalar_type())) * largest) return testing::AssertionSuccess();
  return testing::AssertionFailure() << apart << " apart, of " << largest;
}

class OpsTest : public testing::TestWithParam<std::tuple<at::ScalarType, OtherOps>> {
 protected:
  void SetUp() override {
    const OtherOps& other = std::get<1>(GetParam());
    if (other.lacks_its_device()) GTEST_SKIP() << "no GPU";
    other_ = &other.ops();
  }
  at::ScalarType dtype() const { return std::get<0>(GetParam()); }
  at::Device device() const { return std::get<1>(GetParam()).device; }
  at::Tensor Random(at::IntArrayRef sizes) { return at::randn(sizes, generator_).to(dtype()); }
  at::Tensor RandomVector(int64_t n) { return at::randn({n}, generator_) * 0.3; }
  at::Tensor There(const at::Tensor& x) const { return x.to(device()); }

  const Ops& cpu_ = CpuOps();
  const Ops* other_ = nullptr;
  at::Generator generator_ = at::detail::createCPUGenerator(7);
};

TEST_P(OpsTest, RmsNormIsTheSame) {
  for (const int64_t n : {1, 7, 64, 640}) {
    const at::Tensor x = Random({3, 5, n}), g = Random({3, 5, n}), weight = RandomVector(n);
    const RmsNormed a = cpu_.RmsNorm(x, weight, 1e-6), b = other_->RmsNorm(There(x), There(weight), 1e-6);
    EXPECT_TRUE(Equal(a.y, b.y));
    EXPECT_TRUE(Equal(a.inverse_rms, b.inverse_rms));
    const NormGradients da = cpu_.RmsNormBackward(x, a.inverse_rms, weight, g),
                        db = other_->RmsNormBackward(There(x), b.inverse_rms, There(weight), There(g));
    EXPECT_TRUE(Equal(da.weight, db.weight));
    if (n > 1) EXPECT_TRUE(Equal(da.x, db.x)) << n;  // Of one number it is the rounding of zero.
  }
}

TEST_P(OpsTest, LayerNormIsTheSame) {
  for (const int64_t n : {8, 96, 384}) {
    const at::Tensor x = Random({2, 6, n}), g = Random({2, 6, n}), weight = RandomVector(n), bias = RandomVector(n);
    const LayerNormed a = cpu_.LayerNorm(x, weight, bias, 1e-5),
                      b = other_->LayerNorm(There(x), There(weight), There(bias), 1e-5);
    EXPECT_TRUE(Equal(a.y, b.y));
    const NormGradients da = cpu_.LayerNormBackward(x, a.mean, a.rstd, weight, bias, g),
                        db = other_->LayerNormBackward(There(x), b.mean, b.rstd, There(weight), There(bias), There(g));
    EXPECT_TRUE(Equal(da.x, db.x));
    EXPECT_TRUE(Equal(da.weight, db.weight, dtype()));  // LibTorch's own rounds what it adds.
    EXPECT_TRUE(Equal(da.bias, db.bias, dtype()));
  }
}

TEST_P(OpsTest, GegluAndGeluAreTheSame) {
  const at::Tensor gate = Random({4, 33}) * 3, up = Random({4, 33}), g = Random({4, 33});
  EXPECT_TRUE(Equal(cpu_.Geglu(gate, up), other_->Geglu(There(gate), There(up))));
  const GegluGradients a = cpu_.GegluBackward(gate, up, g), b = other_->GegluBackward(There(gate), There(up), There(g));
  EXPECT_TRUE(Equal(a.gate, b.gate));
  EXPECT_TRUE(Equal(a.up, b.up));
  for (const bool tanh : {false, true}) EXPECT_TRUE(Equal(cpu_.Gelu(gate, tanh), other_->Gelu(There(gate), tanh)));
}

TEST_P(OpsTest, RotaryPositionsAreTheSameAndTurnBack) {
  const at::Tensor x = Random({2, 5, 3, 16}), angles = at::randn({5, 8}, generator_);
  const at::Tensor a = cpu_.Rotary(x, angles.cos(), angles.sin(), 1),
                   b = other_->Rotary(There(x), There(angles.cos()), There(angles.sin()), 1);
  EXPECT_TRUE(Equal(a, b));
  EXPECT_TRUE(Equal(other_->Rotary(b, There(angles.cos()), There(angles.sin()), -1), x));
}

TEST_P(OpsTest, AttentionIsTheSameWithEachKindOfMask) {
  const at::Tensor q = Random({2, 3, 6, 16}), k = Random({2, 3, 6, 16}), v = Random({2, 3, 6, 16}),
                   g = Random({2, 3, 6, 16});
  const at::Tensor window = at::ones({6, 6}, at::kBool).tril().logical_and(at::ones({6, 6}, at::kBool).triu(-2));
  auto run = [&](const Ops& ops, const std::optional<at::Tensor>& mask, bool is_causal) {
    const at::Device where = &ops == &cpu_ ? at::Device(at::kCPU) : device();
    std::vector<at::Tensor> leaves;
    for (const at::Tensor& x : {q, k, v})
      leaves.push_back(x.to(where, x.scalar_type(), false, true).requires_grad_(true));
    const at::Tensor y =
        ops.Attention(leaves[0], leaves[1], leaves[2], mask ? std::optional(mask->to(where)) : mask, is_causal, 0.25);
    torch::autograd::backward({y}, {g.to(where)});
    return std::vector<at::Tensor>{y.detach(), leaves[0].grad(), leaves[1].grad(), leaves[2].grad()};
  };
  for (const auto& [mask, is_causal] : std::vector<std::pair<std::optional<at::Tensor>, bool>>{
           {std::nullopt, true}, {std::nullopt, false}, {window, false}}) {
    const std::vector<at::Tensor> a = run(cpu_, mask, is_causal), b = run(*other_, mask, is_causal);
    for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(Equal(a[i], b[i])) << i;
  }
}

TEST_P(OpsTest, ProductsAreTheSameInAnyStrides) {
  const at::Tensor a = Random({9, 40}), b = Random({40, 17}), turned = Random({17, 40}).t();
  for (const at::Tensor& right : {b, turned}) {
    EXPECT_TRUE(Equal(cpu_.Product(a, right), other_->Product(There(a), There(right))));
    at::Tensor first = Random({9, 17}), second = There(first).clone();
    cpu_.AddProduct(a, right, first);
    other_->AddProduct(There(a), There(right), second);
    EXPECT_TRUE(Equal(first, second));
    cpu_.ProductInto(a, right, first);
    other_->ProductInto(There(a), There(right), second);
    EXPECT_TRUE(Equal(first, second));
  }
}

TEST_P(OpsTest, TheHeadScoresAndPassesTheSame) {
  const at::Tensor logits = Random({7, 50}) * 4, targets = at::arange(7) * 7;
  HeadSums a = cpu_.NoSums(logits), b = other_->NoSums(There(logits));
  cpu_.ScoreLogits(logits, targets, &a);
  other_->ScoreLogits(There(logits), There(targets), &b);
  EXPECT_NEAR(a.loss(), b.loss(), kFloatTolerance * a.loss());
  EXPECT_EQ(a.correct(), b.correct());
  at::Tensor first = logits.clone(), second = There(logits).clone();
  cpu_.LogitGradients(first, targets, 0.1, &a);
  other_->LogitGradients(second, There(targets), 0.1, &b);
  EXPECT_TRUE(Equal(first, second));
  EXPECT_NEAR(a.loss(), b.loss(), kFloatTolerance * a.loss()) << "they add to the sums";
}

TEST_P(OpsTest, DistillationPassesTheSame) {
  const at::Tensor logits = Random({7, 50}) * 4, soft = Random({7, 50}) * 4;
  HeadSums a = cpu_.NoSums(logits), b = other_->NoSums(There(logits));
  at::Tensor first = logits.clone(), second = There(logits).clone(), teacher = soft.clone(),
             other_teacher = There(soft).clone();
  cpu_.DistillGradients(first, teacher, 2, 0.5, &a);
  other_->DistillGradients(second, other_teacher, 2, 0.5, &b);
  EXPECT_TRUE(Equal(first, second));
  EXPECT_NEAR(a.divergence(), b.divergence(), kFloatTolerance * a.divergence());
}

TEST_P(OpsTest, AdamwStepsTheSame) {
  const rows::AdamwStep step{.learning_rate = 0.01f,
                             .beta1 = 0.9f,
                             .beta2 = 0.95f,
                             .epsilon = 1e-8f,
                             .weight_decay = 0.1f,
                             .correction1 = 0.1f,
                             .correction2 = 0.05f,
                             .gradient_scale = 0.5f};
  const at::Tensor gradient = Random({11, 13}), weight = at::randn({11, 13}, generator_),
                   moment = at::rand({11, 13}, generator_);
  auto run = [&](const Ops& ops, const at::Device& where) {
    auto copy = [&](const at::Tensor& x) { return x.to(where, x.scalar_type(), false, true); };
    AdamwTensors tensors{copy(gradient), copy(weight), copy(moment), copy(moment), copy(weight).to(at::kBFloat16)};
    ops.Adamw(step, tensors, {13, 9 * 13});
    return tensors;
  };
  const AdamwTensors a = run(cpu_, at::kCPU), b = run(*other_, device());
  EXPECT_TRUE(Equal(a.weight, b.weight));
  EXPECT_TRUE(Equal(a.first, b.first));
  EXPECT_TRUE(Equal(a.second, b.second));
  EXPECT_TRUE(at::equal(b.weight[0].cpu(), weight[0])) << "outside of the range";
  EXPECT_TRUE(Equal(a.copy.narrow(0, 1, 9), b.copy.narrow(0, 1, 9)));
}

TEST_P(OpsTest, SumsOfSquaresAreTheSame) {
  const at::Tensor x = Random({20, 40});
  at::Tensor a = at::zeros({3}, at::kDouble), b = There(a).clone();
  cpu_.SumOfSquares(x, {40, 400}, a, 1);
  other_->SumOfSquares(There(x), {40, 400}, b, 1);
  EXPECT_NEAR(a[1].item<double>(), b[1].item<double>(), 1e-6 * a[1].item<double>());
  EXPECT_EQ(b[0].item<double>(), 0);
}

INSTANTIATE_TEST_SUITE_P(InEachDtype, OpsTest,
                         testing::Combine(testing::Values(at::kFloat, at::kBFloat16),
                                          testing::ValuesIn(EveryOtherOps())),
                         [](const auto& of) {
                           const std::string dtype = std::get<0>(of.param) == at::kFloat ? "float32" : "bfloat16";
                           return dtype + "_" + std::get<1>(of.param).name;
                         });

TEST(OpsForTest, AreTheCpusOwnUnlessComposedOnesAreAskedFor) {
  EXPECT_STREQ(OpsFor(at::kCPU, Kernels::kAuto).name(), "cpu");
  EXPECT_STREQ(OpsFor(at::kCPU, Kernels::kComposed).name(), "composed");
  EXPECT_THROW(OpsFor(at::kMeta, Kernels::kAuto), c10::Error);
}

}  // namespace
}  // namespace ridgeline
