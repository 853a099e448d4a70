// SPDX-License-Identifier: Apache-2.0
// For tests: a GGUF of a Gemma 3 that is small, with numbers that look like weights. No LibTorch.
#pragma once

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "model/blueprint/model_config.h"
#include "weights/gguf_writer.h"

namespace ridgeline {

// Rows of 64 and 128 numbers.
inline Gemma3Config SmallGemma(int64_t vocab_size = 40) {
  Gemma3Config config{.vocab_size = vocab_size,
                      .dim = 64,
                      .n_layers = 7,
                      .mlp_dim = 128,
                      .n_heads = 2,
                      .n_kv_heads = 1,
                      .head_dim = 32,
                      .max_length = 64,
                      .sliding_window = 8};
  for (int i = 0; i < 7; ++i) config.slides.push_back(i != 5);
  config.query_scale = 32;
  return config;
}

// The metadata that a GGUF of this shape has.
inline GgufMetadata MetadataOf(const Gemma3Config& config) {
  GgufMetadata metadata;
  metadata.SetString("general.architecture", "gemma3");
  metadata.SetString("tokenizer.ggml.model", "none");  // A vocabulary that nothing reads.
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

// All of its tensors in float32; returns the path.
inline std::string WriteSmallGemma(const Gemma3Config& config, const std::string& path) {
  std::vector<TensorDeclaration> tensors;
  const ParameterList parameters = ParametersOf(config);
  for (const ParameterShape& parameter : parameters)
    tensors.push_back({parameter.gguf.name, Dtype::kF32, parameter.sizes});
  auto writer = GgufWriter::Create(path, MetadataOf(config), tensors);
  EXPECT_TRUE(writer.ok()) << writer.status();
  std::mt19937 engine(3);
  std::normal_distribution<float> normal(0, 0.05f);
  for (const ParameterShape& parameter : parameters) {
    std::vector<float> numbers(static_cast<size_t>(parameter.elements()));
    for (float& number : numbers) number = (parameter.gguf.has_one_added ? 1.0f : 0.0f) + normal(engine);
    EXPECT_EQ((*writer)->Append(parameter.gguf.name,
                                {reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(float)}),
              absl::OkStatus());
  }
  EXPECT_EQ((*writer)->Finish(), absl::OkStatus());
  return path;
}

}  // namespace ridgeline
