// SPDX-License-Identifier: Apache-2.0
// A GPT: pre-norm blocks, causal attention, GELU, learned positions, the head tied to the token embedding. The linear
// layers of attention and MLP quantize their weights and inputs; embeddings, norms and head are left as they are.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "quant/frontier/accounting.h"
#include "quant/spec/quant_spec.h"

namespace ridgeline {

struct GptConfig {
  int64_t n_layers = 4;
  int64_t dim = 128;
  int64_t n_heads = 4;
  int64_t vocab_size = 0;
  int64_t seq_len = 128;          // Longest sequence: the number of learned positions.
  QuantizerSpec weight;
  QuantizerSpec activation;
};

// The shape behind a name: "gpt-nano", "gpt-11m". INVALID_ARGUMENT for others.
absl::StatusOr<GptConfig> GptShape(const std::string& name);

struct NamedParameter {
  std::string name;               // nanoGPT's names: "h.0.attn.qkv.weight"
  at::Tensor tensor;              // A leaf that requires gradients.
  bool decays = false;            // Matrices decay, norms do not.
};

// Owned and called by one thread. Throws c10::Error on shape errors.
class Gpt {
 public:
  // Weights N(0, 0.02) from `seed` alone. INVALID_ARGUMENT if the sizes do not fit each other.
  static absl::StatusOr<Gpt> Create(const GptConfig& config, int64_t seed);

  const GptConfig& config() const { return config_; }
  const std::vector<NamedParameter>& parameters() const { return parameters_; }

  // tokens: (B, T) int64, T <= seq_len -> logits (B, T, vocab)
  at::Tensor Logits(const at::Tensor& tokens) const;

  ModelCost Cost() const;

  // ||w_hat - w||^2 / ||w||^2 over the quantized weights; 0 without any.
  double WeightErrorRatio() const;

 private:
  struct Block {
    at::Tensor norm1_weight, norm1_bias;  // (C)
    at::Tensor qkv;                       // (3C, C)
    at::Tensor attention_out;             // (C, C)
    at::Tensor norm2_weight, norm2_bias;  // (C)
    at::Tensor mlp_in;                    // (4C, C)
    at::Tensor mlp_out;                   // (C, 4C)
  };

  Gpt(const GptConfig& config, int64_t seed);
  at::Tensor Attention(const Block& block, const at::Tensor& x) const;
  at::Tensor Mlp(const Block& block, const at::Tensor& x) const;
  at::Tensor QuantizedLinear(const at::Tensor& x, const at::Tensor& weight) const;
  std::vector<at::Tensor> LinearWeights() const;

  GptConfig config_;
  at::Tensor token_embedding_;     // (V, C), also the head
  at::Tensor position_embedding_;  // (seq_len, C)
  std::vector<Block> blocks_;
  at::Tensor final_norm_weight_, final_norm_bias_;  // (C)
  std::vector<NamedParameter> parameters_;
};

}  // namespace ridgeline
