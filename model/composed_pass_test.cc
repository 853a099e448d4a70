// SPDX-License-Identifier: Apache-2.0
// Forward and backward passes through whole networks with composed operations, beside the CPU's own.
#include <gtest/gtest.h>

#include "model/gemma3.h"
#include "model/gpt.h"
#include "model/small_gemma.h"
#include "model/training_pass.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

// Of a gradient's largest number. In bfloat16 the rounding of every layer adds up, and moves codes at thresholds.
constexpr double kFloatTolerance = 1e-5, kBfloat16Tolerance = 0.15;

struct Shape {
  const char* name;
  std::function<std::unique_ptr<LanguageModel>(const ModelOptions& options)> make;
};

std::vector<Shape> Shapes() {
  const GptConfig nano{.n_layers = 2, .dim = 64, .n_heads = 2, .vocab_size = 40, .seq_len = 16};
  GptConfig gpt2 = nano;
  gpt2.has_biases = true;
  gpt2.gelu_tanh = true;
  return {{"gpt-nano", [=](const ModelOptions& options) { return Gpt::Create(nano, options, 5).value(); }},
          {"gpt2", [=](const ModelOptions& options) { return Gpt::Create(gpt2, options, 5).value(); }},
          {"gemma3", [](const ModelOptions& options) { return Gemma3::Create(SmallGemma(), options, 5).value(); }}};
}

std::vector<std::pair<const char*, ModelOptions>> Quantizers() {
  ModelOptions four, one, plain;
  four.weight = {.estimator = "ridge", .format = Format::kInt4, .block = 32};
  one.weight = {.estimator = "ridge", .format = Format::kInt1, .block = 32};
  return {{"unquantized", plain}, {"W4", four}, {"W1", one}};
}

// Onto levels of the grid, far from where a code becomes another: there the last bit of a scale decides nothing.
void SnapToGrid(LanguageModel* model) {
  at::NoGradGuard no_grad;
  for (Parameter& parameter : model->parameters())
    if (parameter.quantizer.spec.quantizes())
      CpuOps().QuantizeInto(parameter.master.clone(), parameter.quantizer.spec, parameter.master, nullptr);
  model->RefreshCompute();
}

// The loss, then the gradients of all parameters.
std::vector<at::Tensor> PassThrough(const Shape& shape, ModelOptions options, Kernels kernels) {
  options.kernels = kernels;
  const std::unique_ptr<LanguageModel> model = shape.make(options);
  SnapToGrid(model.get());
  for (Parameter& parameter : model->parameters()) parameter.gradient.sum = at::zeros_like(parameter.master);
  const at::Tensor tokens = (at::arange(32).view({2, 16}) * 7) % 40;
  std::vector<at::Tensor> results = {at::tensor(AccumulateGradients(model.get(), tokens, tokens.roll(1, 1), 1).loss())};
  for (Parameter& parameter : model->parameters()) {
    parameter.PassGradientThroughQuantizer();
    results.push_back(parameter.gradient.sum);
  }
  return results;
}

void ExpectSame(const Shape& shape, const ModelOptions& options, double tolerance) {
  const std::vector<at::Tensor> fused = PassThrough(shape, options, Kernels::kAuto),
                                composed = PassThrough(shape, options, Kernels::kComposed);
  ASSERT_EQ(fused.size(), composed.size());
  for (size_t i = 0; i < fused.size(); ++i) {
    const double largest = fused[i].abs().max().item<double>(),
                 apart = (fused[i] - composed[i]).abs().max().item<double>();
    EXPECT_LE(apart, tolerance * largest) << "parameter " << i;
  }
}

TEST(ComposedPassTest, ComposedGradientsOfEachNetworkAreTheCpusInFloat32) {
  for (const Shape& shape : Shapes())
    for (const auto& [name, options] : Quantizers()) {
      SCOPED_TRACE(std::string(shape.name) + " " + name);
      ExpectSame(shape, options, kFloatTolerance);
    }
}

TEST(ComposedPassTest, AndInBfloat16UpToItsRounding) {
  for (const Shape& shape : Shapes()) {
    SCOPED_TRACE(shape.name);
    ModelOptions options;
    options.compute_dtype = at::kBFloat16;
    ExpectSame(shape, options, kBfloat16Tolerance);
  }
}

}  // namespace
}  // namespace ridgeline
