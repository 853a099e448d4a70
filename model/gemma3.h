// SPDX-License-Identifier: Apache-2.0
// Gemma 3, text only: RMSNorm before and after attention and MLP, norms on queries and keys, grouped heads, layers that
// slide over a window and every sixth that sees all, two RoPE bases, GEGLU, a tied head. Parameter names are
// Hugging Face's.
#pragma once

#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "model/blueprint/gemma3.h"
#include "model/language_model.h"

namespace ridgeline {

class Gemma3 final : public LanguageModel {
 public:
  // Weights N(0, initializer_range) from `seed` alone; without one they are not set, for a caller who has them.
  // INVALID_ARGUMENT if the sizes do not fit each other.
  static absl::StatusOr<std::unique_ptr<Gemma3>> Create(const Gemma3Config& config, const ModelOptions& options,
                                                        std::optional<int64_t> seed);

  const Gemma3Config& config() const { return config_; }

  int64_t max_length() const override { return config_.max_length; }
  int64_t block_count() const override { return config_.n_layers; }
  std::string Summary() const override;
  at::Tensor Embed(const at::Tensor& tokens, int64_t first_position) const override;
  void AddEmbeddingGradient(const at::Tensor& tokens, const at::Tensor& dx) override;
  at::Tensor Hidden(const at::Tensor& x, KvCache* cache) override;
  using LanguageModel::head;
  const Parameter& head() const override { return *embedding_; }

 private:
  struct Layer {
    bool slides;
    Parameter *input_norm, *post_attention_norm, *pre_mlp_norm, *post_mlp_norm;  // (C)
    Parameter *q, *k, *v, *out;                                                  // (H D, C), (K D, C) twice, (C, H D)
    Parameter *q_norm, *k_norm;                                                  // (D)
    Parameter *gate, *up, *down;                                                 // (F, C) twice, (C, F)
  };
  // Of the positions that one call computes, (T, D / 2) float32.
  struct Angles {
    at::Tensor cosines, sines;
  };

  Gemma3(const Gemma3Config& config, const ModelOptions& options, std::optional<int64_t> seed);
  Layer LayerAt(int64_t index);
  Angles AnglesAt(int64_t first_position, int64_t length, double base, double factor) const;
  at::Tensor RunLayer(const Layer& layer, const at::Tensor& x, const Angles& angles, KvCache* cache, size_t index);
  at::Tensor Attention(const Layer& layer, at::Tensor x, const Angles& angles, KvCache* cache, size_t index);
  at::Tensor Mlp(const Layer& layer, at::Tensor x);

  Gemma3Config config_;
  Parameter* embedding_;  // (V, C), also the head
  std::vector<Layer> layers_;
  Parameter* final_norm_;  // (C)
};

}  // namespace ridgeline
