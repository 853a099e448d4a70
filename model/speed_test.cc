// SPDX-License-Identifier: Apache-2.0
#include "model/speed.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "model/gpt.h"
#include "model/load_model.h"
#include "model/save_model.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

constexpr GptConfig kTiny{.n_layers = 2, .dim = 64, .n_heads = 2, .vocab_size = 40, .seq_len = 32};
constexpr SpeedOptions kShort{.prompt_tokens = 20, .new_tokens = 4, .min_seconds = 0};
constexpr double kLayerProducts = 12 * 64 * 64, kHeadProducts = 40 * 64;  // Of a block, and of the head.

TEST(SpeedTest, BothSpeedsAreOfTheTokensThatWereAskedFor) {
  const auto model = Gpt::Create(kTiny, {}, 1).value();
  const Speed speed = MeasureSpeed(model.get(), kShort);
  EXPECT_EQ(speed.prompt_tokens, 20);
  EXPECT_EQ(speed.new_tokens, 4);
  EXPECT_GT(speed.prefill_tokens_per_second, 0);
  EXPECT_GT(speed.decode_tokens_per_second, 0);
}

TEST(SpeedTest, AModelOfFewPositionsIsTimedWithinThem) {
  const auto model = Gpt::Create(kTiny, {}, 1).value();
  const Speed speed = MeasureSpeed(model.get(), {.prompt_tokens = 128, .new_tokens = 64, .min_seconds = 0});
  EXPECT_EQ(speed.prompt_tokens + speed.new_tokens, kTiny.seq_len);
}

TEST(SpeedTest, AnUnquantizedTokenReadsFloatsAndMultipliesThem) {
  const auto model = Gpt::Create(kTiny, {}, 1).value();
  const DecodeWork work = MeasureSpeed(model.get(), kShort).work;
  const double attention = 2 * 2 * 24 * 64;  // Keys and values, of two layers, of 24 tokens.
  EXPECT_EQ(work.integer_products, 0);
  EXPECT_EQ(work.float_products, 2 * kLayerProducts + kHeadProducts + attention);
  EXPECT_EQ(work.weight_bytes, 4 * (2 * kLayerProducts + kHeadProducts));
  EXPECT_EQ(work.cache_bytes, 4 * attention);
}

TEST(SpeedTest, APackedTokenReadsCodesAndMultipliesWholeNumbersWhereInputsAreQuantized) {
  ModelOptions options;
  options.weight = {.estimator = "ste", .format = Format::kInt4, .scheme = Scheme::kLinear, .block = 32};
  options.weight.scale_precision = ScalePrecision::kFloat16;
  options.activation = {.estimator = "ste", .format = Format::kInt8, .scheme = Scheme::kLinear, .block = 32};
  options.embedding = {Format::kInt8, 32};
  const auto model = Gpt::Create(kTiny, options, 1).value();
  std::string folder = (std::filesystem::temp_directory_path() / "ridgeline-speed-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  ASSERT_EQ(SavePacked(*model, Dtype::kBF16, {}, {}, folder + "/model"), absl::OkStatus());
  auto loaded = LoadModelInUse(folder + "/model", at::kFloat);
  std::filesystem::remove_all(folder);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const DecodeWork work = MeasureSpeed(loaded->get(), kShort).work;
  EXPECT_EQ(work.integer_products, 2 * kLayerProducts);
  EXPECT_EQ(work.weight_bytes, 4.5 / 8 * 2 * kLayerProducts + 8.5 / 8 * kHeadProducts);
}

}  // namespace
}  // namespace ridgeline
