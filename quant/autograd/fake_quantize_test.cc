// SPDX-License-Identifier: Apache-2.0
#include "quant/autograd/fake_quantize.h"

#include <gtest/gtest.h>

#include "method/every_spec.h"
#include "method/hadamard_sign.h"
#include "method/problems.h"
#include "method/resolved_spec.h"
#include "quant/autograd/torch_pch.h"
#include "quant/codes/packed_tensor.h"
#include "quant/testing/tensors_close.h"

namespace ridgeline {
namespace {

constexpr double kAgreesWithAutograd = 1e-10;  // In double.

// Each estimator of the shared grids, with each way to prune, rotate and differentiate it; published_test.cc has the
// other estimators, all formats and granularities.
std::vector<QuantizerSpec> EveryGrid() {
  return EverySpec({.estimators = [](const EstimatorTraits& traits) { return traits.has_shared_grid(); },
                    .formats = {Format::kInt1, Format::kInt2, Format::kInt4, Format::kTernary},
                    .rotations = {{}, {true}, {true, true}, {true, true, true}},
                    .sparsities = {{}, {2, 4}, {1, 8}},
                    .fit_gradients = {FitGradient::kOwn, FitGradient::kGraph, FitGradient::kDetached},
                    .trusts = {0, 1.1}});
}

TEST(FakeQuantizeTest, EveryGridIsMany) { EXPECT_GE(EveryGrid().size(), 700u); }

template <typename Function>
at::Tensor GradientOf(const Function& function, const at::Tensor& x, const at::Tensor& v, const QuantizerSpec& spec) {
  at::Tensor leaf = x.detach().clone().requires_grad_(true);
  return torch::autograd::grad({function(leaf, spec)}, {leaf}, {v})[0];
}

TEST(FakeQuantizeTest, ClosedFormAgreesWithTheAutogradTwinInEveryGrid) {
  for (const QuantizerSpec& spec : EveryGrid()) {
    SCOPED_TRACE(DescribeSpec(spec));
    const int64_t features = spec.hadamard ? 192 : 152;  // A Hadamard block has no tail.
    at::Tensor x = at::randn({3, 5, features}, at::kDouble), v = at::randn({3, 5, features}, at::kDouble);
    EXPECT_TRUE(AllNear(FakeQuantize(x, spec), FakeQuantize_ref(x, spec), kAgreesWithAutograd));
    EXPECT_TRUE(
        AllNear(GradientOf(FakeQuantize, x, v, spec), GradientOf(FakeQuantize_ref, x, v, spec), kAgreesWithAutograd));
  }
}

TEST(FakeQuantizeTest, WeightsWithScalesInStepsAreWhatTheirCodesStandForAndRowsAreOnTheirOwn) {
  for (const QuantizerSpec& spec :
       EverySpec({.estimators = [](const EstimatorTraits& traits) { return traits.has_shared_grid(); },
       .formats = {Format::kInt1, Format::kInt4},
       .rotations = {{}, {true, true}, {true, true, true}},
       .scale_precisions = {ScalePrecision::kInt8}})) {
    SCOPED_TRACE(DescribeSpec(spec));
    const at::Tensor x = at::randn({6, 192}), v = at::randn({6, 192});
    const PackedTensor packed = Encode(spec, std::span(x.const_data_ptr<float>(), 6 * 192), 6, 192).value();
    at::Tensor decoded = at::empty_like(x), part = at::empty({2, 192}), saved;
    const Rotated rotated = spec.stays_rotated ? Rotated::kStays : Rotated::kBack;
    DecodeRows(packed.view(), 0, 6, rotated, decoded.mutable_data_ptr<float>());
    at::Tensor values = at::empty_like(x);
    QuantizeInto(x, spec, values, &saved);
    EXPECT_TRUE(at::equal(values, decoded));
    QuantizeInto(x.narrow(0, 2, 2), spec, part);
    EXPECT_TRUE(at::equal(part, values.narrow(0, 2, 2)));
    QuantizerSpec sixteen = spec;
    sixteen.scale_precision = ScalePrecision::kFloat16;
    EXPECT_FALSE(at::equal(QuantizedValues(x, sixteen, at::kFloat), values));
    at::Tensor of_sixteen, gradient = at::empty_like(x), wanted = at::empty_like(x);
    QuantizeInto(x, sixteen, values, &of_sixteen);
    QuantizedGradient(x, saved, v, spec, gradient);
    QuantizedGradient(x, of_sixteen, v, sixteen, wanted);
    EXPECT_TRUE(at::equal(gradient, wanted));
  }
}

TEST(FakeQuantizeTest, ADisabledSpecGivesTheTensorItself) {
  at::Tensor x = at::randn({2, 8});
  EXPECT_TRUE(FakeQuantize(x, QuantizerSpec{}).is_same(x));
}

TEST(FakeQuantizeTest, NarrowNumbersAreComputedInFloat) {
  for (const QuantizerSpec& spec : EveryGrid())
    for (at::ScalarType type : {at::kBFloat16, at::kHalf}) {
      SCOPED_TRACE(DescribeSpec(spec));
      const int64_t features = spec.hadamard ? 192 : 152;
      at::Tensor x = at::randn({4, features}).to(type), v = at::randn({4, features}).to(type);
      EXPECT_TRUE(at::equal(FakeQuantize(x, spec), FakeQuantize(x.to(at::kFloat), spec).to(type)));
      at::Tensor in_float = GradientOf(FakeQuantize, x.to(at::kFloat), v.to(at::kFloat), spec);
      EXPECT_TRUE(at::equal(GradientOf(FakeQuantize, x, v, spec), in_float.to(type)));
    }
}

TEST(FakeQuantizeTest, BFloat16RoundsToTheNearestTiesToEven) {
  // Pruning nothing away of one number in two, so that values pass as they are: every upper half, and what lies
  // between.
  QuantizerSpec pruning{.sparsity = {1, 2}};
  at::Tensor high = at::arange(0x7F80, at::kInt), low = at::tensor({0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF}, at::kInt);
  at::Tensor bits = (high.unsqueeze(1) * 65536 + low.unsqueeze(0)).reshape({-1});
  at::Tensor numbers = bits.view(at::kFloat), x = at::stack({numbers, at::zeros_like(numbers)}, 1);
  EXPECT_TRUE(at::equal(QuantizedValues(x, pruning, at::kBFloat16), x.to(at::kBFloat16)));
  EXPECT_TRUE(at::equal(QuantizedValues(-x, pruning, at::kBFloat16), (-x).to(at::kBFloat16)));
}

TEST(FakeQuantizeTest, PruningKeepsTheLargestOfEachGroupAndOfEqualsTheFirst) {
  at::Tensor x = at::tensor({1.0f, -3.0f, 2.0f, 0.5f, 2.0f, -2.0f, 2.0f, 2.0f});
  EXPECT_TRUE(at::equal(FakeQuantize(x, {.sparsity = {2, 4}}), at::tensor({0.f, -3.f, 2.f, 0.f, 2.f, -2.f, 0.f, 0.f})));
  EXPECT_TRUE(at::equal(FakeQuantize(x, {.sparsity = {1, 8}}), at::tensor({0.f, -3.f, 0.f, 0.f, 0.f, 0.f, 0.f, 0.f})));
}

TEST(FakeQuantizeTest, PruningAloneIsNotBoundToBlocks) {
  QuantizerSpec spec{.sparsity = {2, 5}};  // 5 does not divide the block of 128.
  at::Tensor x = at::randn({3, 300}, at::kDouble);
  EXPECT_TRUE(at::equal(FakeQuantize(x, spec), FakeQuantize_ref(x, spec)));
}

TEST(FakeQuantizeTest, APrunedNumberStaysZeroInEveryFormat) {
  for (const QuantizerSpec& spec : EveryGrid()) {
    if (!spec.sparsity.is_sparse() || spec.hadamard) continue;
    SCOPED_TRACE(DescribeSpec(spec));
    at::Tensor x = at::randn({4, 152}, at::kDouble), x_hat = FakeQuantize(x, spec);
    at::Tensor pruned = FakeQuantize(x, {.sparsity = spec.sparsity}) == 0;
    EXPECT_EQ(x_hat.masked_select(pruned).count_nonzero().item<int64_t>(), 0);
    EXPECT_GT(x_hat.count_nonzero().item<int64_t>(), 0);
  }
}

TEST(FakeQuantizeTest, MaskDecayAddsAShareOfWhatIsPrunedToTheGradient) {
  std::vector<QuantizerSpec> specs =
      EverySpec({.estimators = [](const EstimatorTraits& traits) { return traits.prunes; },
                 .formats = {Format::kInt4},
                 .schemes = {Scheme::kLinear},
                 .sparsities = {{2, 4}}});
  EXPECT_GE(specs.size(), 4u);
  specs.push_back({.sparsity = {2, 4}});
  for (QuantizerSpec spec : specs) {
    SCOPED_TRACE(DescribeSpec(spec));
    at::Tensor x = at::randn({3, 128}, at::kDouble), v = at::randn({3, 128}, at::kDouble);
    at::Tensor plain = GradientOf(FakeQuantize, x, v, spec), pruned = x - FakeQuantize(x, {.sparsity = {2, 4}});
    spec.mask_decay = 0.25;
    at::Tensor decayed = GradientOf(FakeQuantize, x, v, spec);
    EXPECT_TRUE(AllNear(decayed, plain + 0.25 * pruned, kAgreesWithAutograd));
    EXPECT_TRUE(AllNear(decayed, GradientOf(FakeQuantize_ref, x, v, spec), kAgreesWithAutograd));
  }
}

// What comes from QuantizeInto and QuantizedGradient.
void PassThrough(const at::Tensor& x, const at::Tensor& v, const QuantizerSpec& spec, at::Tensor& dx) {
  at::Tensor saved, x_hat = at::empty_like(x);
  QuantizeInto(x, spec, x_hat, &saved);
  QuantizedGradient(x, saved, v, spec, dx);
}

// Writing over x would be an error in the backward pass if that needed x.
TEST(FakeQuantizeTest, AGradientThatPassesAsItIsOrWhereXIsTrustedNeedsNoInput) {
  size_t count = 0;
  for (const QuantizerSpec& spec : EverySpec({})) {
    if (!PassesGradient(spec) && !PassesTrustedGradient(spec)) continue;
    ++count;
    at::Tensor x = at::randn({2, 128}).requires_grad_(true), v = at::randn({2, 128});
    const at::Tensor expected = GradientOf(FakeQuantize, x, v, spec), x_hat = FakeQuantize(x, spec);
    {
      at::NoGradGuard no_grad;
      x.zero_();
    }
    EXPECT_TRUE(at::equal(torch::autograd::grad({x_hat}, {x}, {v})[0], expected)) << DescribeSpec(spec);
  }
  EXPECT_GE(count, 150u);
}

TEST(FakeQuantizeTest, AGradientThatOthersHoldIsNotWrittenOver) {
  QuantizerSpec spec{
      .estimator = "quest", .format = Format::kInt1, .scheme = Scheme::kLinear, .grid = GridStatistics::kGaussian};
  at::Tensor x = at::randn({2, 128}).requires_grad_(true), v = at::randn({2, 128}), seen;
  const at::Tensor v_before = v.clone();
  at::Tensor expected = at::empty_like(v);
  PassThrough(x.detach(), v, spec, expected);
  at::Tensor x_hat = FakeQuantize(x, spec) * 1;
  x_hat.register_hook([&](const at::Tensor& gradient) { seen = gradient; });
  EXPECT_TRUE(at::equal(torch::autograd::grad({FakeQuantize(x, spec)}, {x}, {v})[0], expected));
  EXPECT_TRUE(at::equal(v, v_before));
  EXPECT_TRUE(at::equal(torch::autograd::grad({x_hat}, {x}, {v})[0], expected));
  EXPECT_TRUE(at::equal(seen, v_before));
  EXPECT_FALSE(at::equal(expected, v_before)) << "everything is trusted: this tests nothing";
}

// A product between passes v on in a tensor of its own, which the quantizer is then alone to hold.
TEST(FakeQuantizeTest, AGradientThatNobodyElseHoldsGivesTheSame) {
  for (const QuantizerSpec& spec : EveryGrid()) {
    SCOPED_TRACE(DescribeSpec(spec));
    at::Tensor x = at::randn({3, 192}), v = at::randn({3, 192}), expected = at::empty_like(x);
    PassThrough(x, 2 * v, spec, expected);
    x.requires_grad_(true);
    EXPECT_TRUE(at::equal(torch::autograd::grad({FakeQuantize(x, spec) * 2}, {x}, {v})[0], expected));
  }
}

// A sum makes a tensor of its own, which keeps neither its inputs nor itself for its backward pass.
TEST(FakeQuantizeTest, AnInputThatNobodyElseHoldsGivesTheSameValuesAndGradients) {
  for (at::ScalarType type : {at::kFloat, at::kBFloat16, at::kDouble})
    for (const QuantizerSpec& spec : EveryGrid()) {
      SCOPED_TRACE(DescribeSpec(spec));
      at::Tensor leaf = at::randn({3, 192}, type).requires_grad_(true), v = at::randn({3, 192}, type);
      const at::Tensor held = leaf + 1, expected = FakeQuantize(held, spec), moved = FakeQuantize(leaf + 1, spec);
      EXPECT_TRUE(at::equal(moved, expected));
      EXPECT_TRUE(
          at::equal(torch::autograd::grad({moved}, {leaf}, {v})[0], torch::autograd::grad({expected}, {leaf}, {v})[0]));
      at::NoGradGuard no_grad;
      EXPECT_TRUE(at::equal(FakeQuantize(leaf + 1, spec), FakeQuantize(held, spec)));
    }
}

TEST(FakeQuantizeTest, AnInputIsWrittenOverWhereNeitherTheGradientNorAnyoneElseNeedsIt) {
  size_t overwritten = 0, kept_whole = 0;
  for (const QuantizerSpec& spec : EverySpec({})) {
    if (spec.learns_scale()) continue;
    SCOPED_TRACE(DescribeSpec(spec));
    const bool may_overwrite = PassesGradient(spec) || PassesTrustedGradient(spec);
    (may_overwrite ? overwritten : kept_whole) += 1;
    const at::Tensor leaf = at::randn({2, 128}).requires_grad_(true);
    at::Tensor sum = leaf + 1, view = leaf + 1, saved = at::tanh(leaf);  // tanh keeps its result for its backward pass.
    const void *place = sum.data_ptr(), *place_of_saved = saved.data_ptr();
    EXPECT_EQ(FakeQuantize(std::move(sum), spec).data_ptr() == place, may_overwrite);
    const at::Tensor before = view.detach().clone(), first_row = view.slice(0, 0, 1);
    FakeQuantize(std::move(view), spec);
    EXPECT_TRUE(at::equal(first_row, before.slice(0, 0, 1)));
    EXPECT_NE(FakeQuantize(std::move(saved), spec).data_ptr(), place_of_saved);
    const at::Tensor kept = leaf.detach().clone();
    FakeQuantize(leaf, spec);
    EXPECT_TRUE(at::equal(leaf, kept));
    EXPECT_NO_THROW(FakeQuantize(at::randn({2, 128}).requires_grad_(true), spec));
  }
  EXPECT_GE(overwritten, 150u);
  EXPECT_GE(kept_whole, 50u);
}

TEST(FakeQuantizeTest, ATransposedTensorIsQuantizedAlongItsOwnLastDimension) {
  QuantizerSpec spec{.estimator = "ste", .format = Format::kInt2};
  at::Tensor x = at::randn({128, 4}).t();
  EXPECT_TRUE(at::equal(FakeQuantize(x, spec), FakeQuantize(x.contiguous(), spec)));
}

// at::parallel_for is compiled here, not in LibTorch.
TEST(FakeQuantizeTest, LoopsRunOnAllOfLibTorchsThreads) {
  const int before = at::get_num_threads();
  at::set_num_threads(2);
  std::vector<int> thread_of(2, -1);
  at::parallel_for(0, 2, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) thread_of[static_cast<size_t>(i)] = at::get_thread_num();
  });
  at::set_num_threads(before);
  EXPECT_EQ(thread_of, (std::vector<int>{0, 1}));
}

TEST(FakeQuantizeTest, ThreadsDoNotChangeTheResult) {
  QuantizerSpec spec{.estimator = "ridge", .format = Format::kInt1};
  at::Tensor x = at::randn({1024, 256});
  at::set_num_threads(1);
  at::Tensor one = FakeQuantize(x, spec);
  at::set_num_threads(2);
  EXPECT_TRUE(at::equal(one, FakeQuantize(x, spec)));
}

TEST(FakeQuantizeTest, MoreBitsLeaveASmallerError) {
  at::Tensor x = at::randn({16, 128});
  double last = 1;
  for (Format format : {Format::kInt1, Format::kInt2, Format::kInt3, Format::kInt4, Format::kInt8}) {
    double error = QuantErrorRatio(x, {.estimator = "ridge", .format = format});
    EXPECT_LT(error, last);
    last = error;
  }
  EXPECT_EQ(QuantErrorRatio(x, QuantizerSpec{}), 0);
}

TEST(FakeQuantizeTest, RotatingBothOperandsKeepsTheirProduct) {
  // With eight bits the quantized product is close to x w^T, and it is the product of what is quantized after rotation:
  // rotating both back, as FakeQuantize does, changes nothing.
  QuantizerSpec rotated{.estimator = "quest",
                        .format = Format::kInt8,
                        .scheme = Scheme::kLinear,
                        .block = 64,
                        .grid = GridStatistics::kGaussian,
                        .hadamard = true};
  QuantizerSpec plain = rotated;
  plain.hadamard = false;
  at::Tensor x = at::randn({5, 128}, at::kDouble), w = at::randn({7, 128}, at::kDouble);
  at::Tensor h = at::ones({1, 1}, at::kDouble);
  for (int size = 1; size < 64; size *= 2) h = at::cat({at::cat({h, h}, 1), at::cat({h, -h}, 1)}, 0) / std::sqrt(2.0);
  at::Tensor h2 = at::block_diag({h, h});
  at::Tensor rotated_back = at::linear(FakeQuantize(x, rotated), FakeQuantize(w, rotated));
  at::Tensor staying = at::linear(FakeQuantize(at::matmul(x, h2), plain), FakeQuantize(at::matmul(w, h2), plain));
  QuantizerSpec stays = rotated;
  stays.stays_rotated = true;
  EXPECT_TRUE(AllNear(at::linear(FakeQuantize(x, stays), FakeQuantize(w, stays)), staying, kAgreesWithAutograd));
  EXPECT_GT((FakeQuantize(x, stays) - FakeQuantize(x, rotated)).abs().max().item<double>(), 0.1);
  EXPECT_TRUE(AllNear(rotated_back, staying, kAgreesWithAutograd));
  EXPECT_TRUE(AllNear(rotated_back, at::linear(x, w), 1));
}

TEST(FakeQuantizeTest, SignsRotateWeightsAndInputsAlike) {
  // The signs of HadamardSign before H make an orthogonal matrix, and what is quantized after it keeps its product.
  QuantizerSpec rotated{.estimator = "quest",
                        .format = Format::kInt8,
                        .scheme = Scheme::kLinear,
                        .block = 64,
                        .grid = GridStatistics::kGaussian,
                        .hadamard = true,
                        .hadamard_signs = true};
  QuantizerSpec plain = rotated;
  plain.hadamard = plain.hadamard_signs = false;
  at::Tensor h = at::ones({1, 1}, at::kDouble);
  for (int size = 1; size < 64; size *= 2) h = at::cat({at::cat({h, h}, 1), at::cat({h, -h}, 1)}, 0) / std::sqrt(2.0);
  std::vector<double> signs;
  for (int i = 0; i < 128; ++i) signs.push_back(HadamardSign(i));
  at::Tensor rotation = at::tensor(signs, at::kDouble).unsqueeze(1) * at::block_diag({h, h});
  EXPECT_TRUE(AllNear(at::matmul(rotation, rotation.t()), at::eye(128, at::kDouble), kAgreesWithAutograd));
  EXPECT_FALSE(
      at::equal(rotation.slice(0, 0, 64).slice(1, 0, 64), rotation.slice(0, 64).slice(1, 64)));  // Each block its own.
  at::Tensor x = at::randn({5, 128}, at::kDouble), w = at::randn({7, 128}, at::kDouble);
  at::Tensor rotated_back = at::linear(FakeQuantize(x, rotated), FakeQuantize(w, rotated));
  at::Tensor staying =
      at::linear(FakeQuantize(at::matmul(x, rotation), plain), FakeQuantize(at::matmul(w, rotation), plain));
  EXPECT_TRUE(AllNear(rotated_back, staying, kAgreesWithAutograd));
  EXPECT_TRUE(AllNear(rotated_back, at::linear(x, w), 1));
}

TEST(FakeQuantizeTest, ATailBehindHadamardBlocksIsAnErrorThatNamesIt) {
  QuantizerSpec spec{.estimator = "ridge", .format = Format::kInt4, .block = 64, .hadamard = true};
  try {
    FakeQuantize(at::randn({2, 96}), spec);
    FAIL() << "a tail of 32 was quantized";
  } catch (const c10::Error& error) {
    EXPECT_NE(std::string(error.what()).find("tail of 32"), std::string::npos) << error.what();
  }
}

TEST(FakeQuantizeTest, TheHalvesApartFromAutogradAreThoseOfFakeQuantize) {
  for (const QuantizerSpec& spec : EveryGrid()) {
    SCOPED_TRACE(DescribeSpec(spec));
    at::Tensor x = at::randn({3, 192}), v = at::randn({3, 192}), dx = at::empty_like(x);
    EXPECT_TRUE(at::equal(QuantizedValues(x, spec, at::kFloat), FakeQuantize(x, spec)));
    EXPECT_TRUE(at::equal(QuantizedValues(x, spec, at::kBFloat16), FakeQuantize(x, spec).to(at::kBFloat16)));
    at::Tensor rounded = v.to(at::kBFloat16), passed = at::empty_like(rounded);
    PassThrough(x, rounded, spec, passed);
    const at::Tensor of_rounded = GradientOf(FakeQuantize, x, rounded.to(at::kFloat), spec);
    EXPECT_TRUE(at::equal(passed, of_rounded.to(at::kBFloat16)));
    at::Tensor expected = GradientOf(FakeQuantize, x, v, spec);
    PassThrough(x, v, spec, dx);
    EXPECT_TRUE(at::equal(dx, expected));
    PassThrough(x, v, spec, v);  // In place.
    EXPECT_TRUE(at::equal(v, expected));
  }
}

TEST(FakeQuantizeTest, TheHalvesPassOnWhereTheSpecIsOff) {
  at::Tensor x = at::randn({2, 8}), v = at::randn({2, 8}).to(at::kBFloat16), dx = at::empty_like(v);
  EXPECT_TRUE(at::equal(QuantizedValues(x, {}, at::kBFloat16), x.to(at::kBFloat16)));
  QuantizedGradient(x, at::Tensor(), v, {}, dx);
  EXPECT_TRUE(at::equal(dx, v));
}

TEST(FakeQuantizeTest, TheHalvesRefuseOtherDtypesAndShapes) {
  QuantizerSpec spec{.estimator = "ridge", .format = Format::kInt4};
  at::Tensor x = at::randn({2, 8}), dx = at::empty_like(x), half = x.to(at::kHalf);
  EXPECT_THROW(QuantizedValues(half, spec, at::kFloat), c10::Error);
  EXPECT_THROW(QuantizedValues(x, spec, at::kHalf), c10::Error);
  EXPECT_THROW(PassThrough(x, at::randn({2, 4}), spec, dx), c10::Error);
  EXPECT_THROW(PassThrough(x, x, spec, half), c10::Error);
}

TEST(FakeQuantizeTest, AGradientWithoutWhatItsForwardPassSavedIsAnErrorThatSaysSo) {
  at::Tensor x = at::randn({2, 128}), dx = at::empty_like(x), x_hat = at::empty_like(x);
  for (const char* estimator : {"ridge", "ridge_trust"}) {
    QuantizerSpec spec{.estimator = estimator, .format = Format::kInt4, .grid = GridStatistics::kGaussian};
    at::Tensor saved;
    QuantizeInto(x.slice(0, 0, 1), spec, x_hat = at::empty({1, 128}), &saved);
    for (const at::Tensor& wrong : {saved, at::empty({0}, at::kByte)}) {
      try {
        QuantizedGradient(x, wrong, x, spec, dx);
        FAIL() << estimator << " passed a gradient of two rows by " << wrong.numel() << " bytes";
      } catch (const c10::Error& error) {
        EXPECT_NE(std::string(error.what()).find("QuantizeInto"), std::string::npos) << error.what();
      }
    }
  }
}

TEST(FakeQuantizeTest, AnImpossibleSpecIsAnErrorThatSaysWhy) {
  QuantizerSpec spec{.estimator = "ridge", .format = Format::kTernary, .scheme = Scheme::kAffine};
  EXPECT_THROW(FakeQuantize(at::randn({1, 8}), spec), c10::Error);
}

}  // namespace
}  // namespace ridgeline
