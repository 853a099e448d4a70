// SPDX-License-Identifier: Apache-2.0
// A GPT: pre-norm blocks, causal attention, GELU, learned positions, the head tied to the token embedding.
#pragma once

#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "model/blueprint/gpt.h"
#include "model/language_model.h"

namespace ridgeline {

class Gpt final : public LanguageModel {
 public:
  // Weights N(0, 0.02) from `seed` alone; without one they are not set, for a caller who has them. INVALID_ARGUMENT if
  // the sizes do not fit each other.
  static absl::StatusOr<std::unique_ptr<Gpt>> Create(const GptConfig& config, const ModelOptions& options,
                                                     std::optional<int64_t> seed);

  const GptConfig& config() const { return config_; }

  int64_t max_length() const override { return config_.seq_len; }
  int64_t block_count() const override { return config_.n_layers; }
  std::string Summary() const override;
  at::Tensor Embed(const at::Tensor& tokens, int64_t first_position) const override;
  void AddEmbeddingGradient(const at::Tensor& tokens, const at::Tensor& dx) override;
  at::Tensor Hidden(const at::Tensor& x, KvCache* cache) override;
  using LanguageModel::head;
  const Parameter& head() const override { return *token_embedding_; }

 private:
  // Biases are null where the shape has none.
  struct Block {
    Parameter *norm1_weight, *norm1_bias;       // (C)
    Parameter *qkv, *qkv_bias;                  // (3C, C), (3C)
    Parameter *attention_out, *attention_bias;  // (C, C), (C)
    Parameter *norm2_weight, *norm2_bias;       // (C)
    Parameter *mlp_in, *mlp_in_bias;            // (4C, C), (4C)
    Parameter *mlp_out, *mlp_out_bias;          // (C, 4C), (C)
  };

  Gpt(const GptConfig& config, const ModelOptions& options, std::optional<int64_t> seed);
  at::Tensor RunBlock(const Block& block, const at::Tensor& x, KvCache* cache, size_t layer);
  at::Tensor Attention(const Block& block, at::Tensor x, KvCache* cache, size_t layer);
  at::Tensor Mlp(const Block& block, at::Tensor x);

  GptConfig config_;
  Parameter* token_embedding_;     // (V, C), also the head
  Parameter* position_embedding_;  // (seq_len, C)
  std::vector<Block> blocks_;
  Parameter *final_norm_weight_, *final_norm_bias_;  // (C)
};

}  // namespace ridgeline
