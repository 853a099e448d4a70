// SPDX-License-Identifier: Apache-2.0
#include "model/save_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "common/file.h"
#include "model/gemma3.h"
#include "model/gpt.h"
#include "model/load_model.h"
#include "nlohmann/json.hpp"
#include "quant/autograd/torch_pch.h"
#include "quant/testing/tensors_close.h"
#include "weights/gguf_writer.h"

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
      EXPECT_EQ(ours.quantizer.stays_rotated, stays_rotated && ours.quantizer.enabled());
      EXPECT_TRUE(at::equal(ours.Values(), saved.master)) << ours.name;
      if (!ours.quantizer.enabled()) continue;
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

// The metadata that a GGUF of this shape has.
GgufMetadata MetadataOf(const Gemma3Config& config) {
  GgufMetadata metadata;
  metadata.SetString("general.architecture", "gemma3");
  metadata.SetString("tokenizer.ggml.model", "llama");
  auto size = [&](const char* key, int64_t value) {
    metadata.SetUint32(std::string("gemma3.") + key, static_cast<uint32_t>(value));
  };
  size("embedding_length", config.dim);
  size("block_count", config.n_layers);
  size("feed_forward_length", config.mlp_dim);
  size("attention.head_count", config.n_heads);
  size("attention.head_count_kv", config.n_kv_heads);
  size("attention.key_length", config.head_dim);
  size("context_length", config.max_length);
  size("attention.sliding_window", config.sliding_window);
  return metadata;
}

// A GGUF that has metadata of this shape, and as tensors an embedding alone.
std::string WriteSource(const Gemma3Config& config, const std::string& path) {
  auto writer = GgufWriter::Create(path, MetadataOf(config),
                                   {{"token_embd.weight", Dtype::kF32, {config.vocab_size, config.dim}}});
  const std::string zeros(static_cast<size_t>(config.vocab_size * config.dim) * sizeof(float), '\0');
  EXPECT_EQ((*writer)->Append("token_embd.weight", zeros), absl::OkStatus());
  EXPECT_EQ((*writer)->Finish(), absl::OkStatus());
  return path;
}

Gemma3Config SmallGemma() {
  Gemma3Config config{.vocab_size = 40,
                      .dim = 32,
                      .n_layers = 7,
                      .mlp_dim = 64,
                      .n_heads = 2,
                      .n_kv_heads = 1,
                      .head_dim = 32,
                      .max_length = 64,
                      .sliding_window = 8};
  for (int i = 0; i < 7; ++i) config.slides.push_back(i != 5);
  config.query_scale = 32;
  return config;
}

TEST_F(SaveModelTest, AGgufInF32LoadsAsTheSameNetworkAndKeepsTheSourcesMetadata) {
  auto model = Gemma3::Create(SmallGemma(), {}, 5);
  ASSERT_TRUE(model.ok());
  (*model)->parameters()[1].master.fill_(0.25);  // A norm, so that the one that GGUF adds shows.
  auto source = OpenGguf(WriteSource(SmallGemma(), Path("source.gguf")));
  ASSERT_TRUE(source.ok());
  ASSERT_EQ(SaveGguf(**model, {}, **source, Path("out.gguf")), absl::OkStatus());
  auto loaded = LoadModel(Path("out.gguf"), {});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ExpectSameWeights(**model, **loaded);
  auto file = OpenGguf(Path("out.gguf"));
  EXPECT_EQ((*file)->FindString("tokenizer.ggml.model"), "llama");
  EXPECT_EQ((*file)->FindUint("general.file_type"), 0u);
}

TEST_F(SaveModelTest, BlockTypesKeepNormsInF32AndTheHeadAtEightBits) {
  auto model = Gemma3::Create(SmallGemma(), {}, 5);
  auto source = OpenGguf(WriteSource(SmallGemma(), Path("source.gguf")));
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
  auto source = OpenGguf(WriteSource(other, Path("source.gguf")));
  const absl::Status saved = SaveGguf(**model, {}, **source, Path("out.gguf"));
  EXPECT_EQ(saved.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(saved.message()), HasSubstr("another shape"));
  EXPECT_FALSE(fs::exists(Path("out.gguf")));
}

}  // namespace
}  // namespace ridgeline
