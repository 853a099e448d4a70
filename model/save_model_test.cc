// SPDX-License-Identifier: Apache-2.0
#include "model/save_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "common/file.h"
#include "model/gemma3.h"
#include "model/gpt.h"
#include "model/load_model.h"
#include "model/small_gemma.h"
#include "nlohmann/json.hpp"
#include "quant/autograd/torch_pch.h"
#include "quant/testing/tensors_close.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class SaveModelTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "ridgeline-save-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string Path(const std::string& name) const { return (folder_ / name).string(); }

  fs::path folder_;
};

void ExpectSameWeights(const LanguageModel& a, const LanguageModel& b) {
  ASSERT_EQ(a.parameters().size(), b.parameters().size());
  for (size_t i = 0; i < a.parameters().size(); ++i) {
    EXPECT_EQ(a.parameters()[i].name, b.parameters()[i].name);
    EXPECT_TRUE(at::equal(a.parameters()[i].master, b.parameters()[i].master)) << a.parameters()[i].name;
  }
}

at::Tensor SomeLogits(LanguageModel* model) {
  return model->Logits(at::arange(0, 12, at::kLong).remainder(model->vocab_size()).view({1, 12}));
}

TEST_F(SaveModelTest, WhatIsSavedAsF32LoadsAsTheSameNetwork) {
  for (const char* name : {"gemma3-270m-like", "gemma3-4b-like", "gpt2-like"}) {
    auto model = LoadModel(std::string(RIDGELINE_TESTDATA) + "/" + name, {});
    ASSERT_TRUE(model.ok());
    ASSERT_EQ(SaveHuggingFace(**model, {}, {.bos_id = 2, .eos_id = 1}, {{"NOTICE", "text"}}, Path(name)),
              absl::OkStatus());
    auto loaded = LoadModel(Path(name), {});
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    ExpectSameWeights(**model, **loaded);
    EXPECT_TRUE(at::equal(SomeLogits(model->get()), SomeLogits(loaded->get()))) << name;
    EXPECT_EQ(ReadFile(Path(name) + "/NOTICE").value(), "text");
    EXPECT_FALSE(fs::exists(Path(name) + ".partial"));
  }
}

TEST_F(SaveModelTest, AGptWithoutBiasesIsSavedAsAGpt2ThatComputesTheSame) {
  auto model = Gpt::Create({.n_layers = 2, .dim = 16, .n_heads = 2, .vocab_size = 20, .seq_len = 16}, {}, 3);
  ASSERT_TRUE(model.ok());
  ASSERT_EQ(SaveHuggingFace(**model, {}, {}, {}, Path("gpt")), absl::OkStatus());
  auto loaded = LoadModel(Path("gpt"), {});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_TRUE(AllClose(SomeLogits(loaded->get()), SomeLogits(model->get()), 1e-6));
}

TEST_F(SaveModelTest, LearnedScalesAreInTheQuantizedValuesAndNotBesideThem) {
  ModelOptions options;
  options.weight = {.estimator = "paretoq", .format = Format::kInt2, .scheme = Scheme::kLinear};
  options.weight.granularity = Granularity::kRow;
  auto model = Gpt::Create({.n_layers = 1, .dim = 16, .n_heads = 2, .vocab_size = 20, .seq_len = 16}, options, 3);
  ASSERT_TRUE(model.ok()) << model.status();
  ASSERT_EQ(SaveHuggingFace(**model, {.values = SavedValues::kQuantized}, {}, {}, Path("gpt")), absl::OkStatus());
  auto loaded = LoadModel(Path("gpt"), {});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_TRUE(AllClose(SomeLogits(loaded->get()), SomeLogits(model->get()), 1e-6));
}

TEST_F(SaveModelTest, QuantizedValuesAreThoseThatLayersComputeWithRotatedBack) {
  for (bool stays_rotated : {false, true}) {
    ModelOptions options;
    options.weight = {.estimator = "ste_clip", .format = Format::kInt4, .block = 8, .hadamard = stays_rotated};
    if (stays_rotated) options.activation = options.weight;
    auto model = LoadModel(std::string(RIDGELINE_TESTDATA) + "/gemma3-270m-like", options);
    ASSERT_TRUE(model.ok()) << model.status();
    ASSERT_EQ(SaveHuggingFace(**model, {.values = SavedValues::kQuantized}, {}, {}, Path("a")), absl::OkStatus());
    auto loaded = LoadModel(Path("a"), {});
    ASSERT_TRUE(loaded.ok());
    ASSERT_FALSE((*model)->QuantizedNames().empty());
    for (size_t i = 0; i < (*model)->parameters().size(); ++i) {
      const Parameter &ours = (*model)->parameters()[i], &saved = (*loaded)->parameters()[i];
      EXPECT_EQ(ours.quantizer.spec.stays_rotated, stays_rotated && ours.quantizer.spec.enabled());
      EXPECT_TRUE(at::equal(ours.Values(), saved.master)) << ours.name;
      if (!ours.quantizer.spec.enabled()) continue;
      EXPECT_EQ(at::equal(ours.compute, saved.master), !stays_rotated) << ours.name;
      EXPECT_LT((saved.master - ours.master).square().sum().item<double>(),
                0.1 * ours.master.square().sum().item<double>())
          << ours.name;
    }
  }
}

TEST_F(SaveModelTest, AModelThatIsThereIsReplacedWhole) {
  auto model = LoadModel(std::string(RIDGELINE_TESTDATA) + "/gpt2-like", {});
  ASSERT_EQ(WriteFileAtomically(Path("m/old.json"), "{}"), absl::OkStatus());
  ASSERT_EQ(SaveHuggingFace(**model, {.dtype = Dtype::kBF16}, {}, {}, Path("m")), absl::OkStatus());
  EXPECT_FALSE(fs::exists(Path("m/old.json")));
  EXPECT_TRUE(LoadModel(Path("m"), {}).ok());
}

TEST_F(SaveModelTest, AGgufInF32LoadsAsTheSameNetworkAndKeepsTheSourcesMetadata) {
  auto model = Gemma3::Create(SmallGemma(), {}, 5);
  ASSERT_TRUE(model.ok());
  (*model)->parameters()[1].master.fill_(0.25);  // A norm, so that the one that GGUF adds shows.
  auto source = OpenGguf(WriteSmallGemma(SmallGemma(), Path("source.gguf")));
  ASSERT_TRUE(source.ok());
  ASSERT_EQ(SaveGguf(**model, {}, **source, Path("out.gguf")), absl::OkStatus());
  auto loaded = LoadModel(Path("out.gguf"), {});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ExpectSameWeights(**model, **loaded);
  auto file = OpenGguf(Path("out.gguf"));
  EXPECT_EQ((*file)->FindString("tokenizer.ggml.model"), "none");
  EXPECT_EQ((*file)->FindUint("general.file_type"), 0u);
}

TEST_F(SaveModelTest, BlockTypesKeepNormsInF32AndTheHeadAtEightBits) {
  auto model = Gemma3::Create(SmallGemma(), {}, 5);
  auto source = OpenGguf(WriteSmallGemma(SmallGemma(), Path("source.gguf")));
  ASSERT_EQ(SaveGguf(**model, {.dtype = Dtype::kQ4_0}, **source, Path("out.gguf")), absl::OkStatus());
  auto file = OpenGguf(Path("out.gguf"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->Find("token_embd.weight")->dtype, Dtype::kQ8_0);
  EXPECT_EQ((*file)->Find("blk.3.attn_q.weight")->dtype, Dtype::kQ4_0);
  EXPECT_EQ((*file)->Find("blk.3.attn_norm.weight")->dtype, Dtype::kF32);
  auto loaded = LoadModel(Path("out.gguf"), {});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  for (size_t i = 0; i < (*model)->parameters().size(); ++i) {
    const at::Tensor &saved = (*model)->parameters()[i].master, &read = (*loaded)->parameters()[i].master;
    EXPECT_LE((read - saved).norm().item<double>(), 0.15 * saved.norm().item<double>())
        << (*model)->parameters()[i].name;
  }
}

TEST_F(SaveModelTest, MetadataOfAnotherShapeIsRefused) {
  auto model = Gemma3::Create(SmallGemma(), {}, 5);
  Gemma3Config other = SmallGemma();
  other.mlp_dim = 96;
  auto source = OpenGguf(WriteSmallGemma(other, Path("source.gguf")));
  const absl::Status saved = SaveGguf(**model, {}, **source, Path("out.gguf"));
  EXPECT_EQ(saved.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(saved.message()), HasSubstr("another shape"));
  EXPECT_FALSE(fs::exists(Path("out.gguf")));
}

// A model whose linear layers are quantized, and its codes in a file.
struct WithCodes {
  std::unique_ptr<LanguageModel> model;
  PackedWeights codes;
};
WithCodes SmallQuantized(const QuantizerSpec& weight) {
  ModelOptions options;
  options.weight = weight;
  options.weight.scale_precision = ScalePrecision::kFloat16;
  auto model = Gemma3::Create(SmallGemma(), options, 5);
  EXPECT_TRUE(model.ok()) << model.status();
  (*model)->RefreshCompute();
  auto codes = EncodeWeights(**model);
  EXPECT_TRUE(codes.ok()) << codes.status();
  return {*std::move(model), *std::move(codes)};
}

const Parameter& ParameterNamed(const LanguageModel& model, const std::string& name) {
  for (const Parameter& parameter : model.parameters())
    if (parameter.name == name) return parameter;
  ADD_FAILURE() << name;
  return model.parameters().front();
}

TEST_F(SaveModelTest, CodesInAGgufAreReadAsWhatLayersComputeWith) {
  auto source = OpenGguf(WriteSmallGemma(SmallGemma(), Path("source.gguf")));
  QuantizerSpec affine{.estimator = "ste", .format = Format::kInt4, .scheme = Scheme::kAffine, .block = 32};
  QuantizerSpec ternary{.estimator = "ridge", .format = Format::kTernary, .scheme = Scheme::kLinear, .block = 64};
  for (const auto& [spec, dtype] : {std::pair{affine, Dtype::kQ4_1}, {ternary, Dtype::kQ2_0}}) {
    const WithCodes small = SmallQuantized(spec);
    const auto written = SaveGgufWithCodes(*small.model, Dtype::kF32, small.codes, **source, Path("out.gguf"));
    ASSERT_TRUE(written.ok()) << written.status();
    EXPECT_TRUE(written->as_floats.empty());
    ASSERT_EQ(written->elements.size(), 1u);
    EXPECT_EQ(written->elements.begin()->first, dtype);
    auto loaded = LoadModel(Path("out.gguf"), {});
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    ASSERT_FALSE(small.codes.empty());
    for (const auto& [name, codes] : small.codes)
      EXPECT_TRUE(at::equal(ParameterNamed(**loaded, name).master, ParameterNamed(*small.model, name).Values()))
          << name;
    EXPECT_TRUE(AllClose(SomeLogits(loaded->get()), SomeLogits(small.model.get()), 1e-6));
  }
}

TEST_F(SaveModelTest, CodesOfAPackedFolderAreThoseThatWereWritten) {
  const WithCodes small = SmallQuantized({.estimator = "ste", .format = Format::kInt2, .block = 32});
  ASSERT_EQ(SavePacked(*small.model, Dtype::kF32, {}, {}, Path("packed")), absl::OkStatus());
  const auto codes = LoadCodes(Path("packed"));
  ASSERT_TRUE(codes.ok()) << codes.status();
  ASSERT_EQ(codes->size(), small.codes.size());
  for (const auto& [name, packed] : small.codes) {
    EXPECT_EQ(codes->at(name).codes, packed.codes) << name;
    EXPECT_EQ(codes->at(name).scales, packed.scales) << name;
  }
}

TEST_F(SaveModelTest, AMatrixWithAScaleThatItsTypeHasNotIsNamedAndHoldsItsValuesInF32) {
  auto source = OpenGguf(WriteSmallGemma(SmallGemma(), Path("source.gguf")));
  WithCodes small =
      SmallQuantized({.estimator = "ste", .format = Format::kInt4, .scheme = Scheme::kLinear, .block = 32});
  auto& [name, packed] = *small.codes.begin();
  packed.scales[0] = 1, packed.scales[1] = 0;  // 2^-24, whose half is no float16
  const auto written = SaveGgufWithCodes(*small.model, Dtype::kF32, small.codes, **source, Path("out.gguf"));
  ASSERT_TRUE(written.ok()) << written.status();
  ASSERT_EQ(written->as_floats.size(), 1u);
  EXPECT_THAT(written->as_floats[0], testing::AllOf(HasSubstr(name), HasSubstr("row 0, block 0")));
  EXPECT_EQ(written->elements.at(Dtype::kF32), packed.layout.rows * packed.layout.features);
  EXPECT_EQ(written->elements.size(), 2u);
}

TEST_F(SaveModelTest, CodesWithoutAnImageAreRefusedByTheirMatrix) {
  auto source = OpenGguf(WriteSmallGemma(SmallGemma(), Path("source.gguf")));
  const WithCodes small = SmallQuantized({.estimator = "ste", .format = Format::kInt4, .block = 16});
  const auto written = SaveGgufWithCodes(*small.model, Dtype::kF32, small.codes, **source, Path("out.gguf"));
  EXPECT_EQ(written.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(written.status().message()),
              testing::AllOf(HasSubstr("self_attn"), HasSubstr("take a block of 32")));
  EXPECT_FALSE(fs::exists(Path("out.gguf")));
}

}  // namespace
}  // namespace ridgeline
