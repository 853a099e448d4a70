// SPDX-License-Identifier: Apache-2.0
#include "model/gpt.h"

#include <cmath>
#include <utility>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "model/attention.h"
#include "model/blueprint/model_config.h"
#include "model/layers.h"
#include "model/weight_product.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

constexpr double kNormEpsilon = 1e-5;

}  // namespace

absl::StatusOr<std::unique_ptr<Gpt>> Gpt::Create(const GptConfig& config, const ModelOptions& options,
                                                 std::optional<int64_t> seed) {
  RETURN_IF_ERROR(ValidateGptConfig(config));
  RETURN_IF_ERROR(ValidateOptions(options, RowLengths(config)));
  return std::unique_ptr<Gpt>(new Gpt(config, options, seed));
}

Gpt::Gpt(const GptConfig& config, const ModelOptions& options, std::optional<int64_t> seed)
    : LanguageModel(options, ParametersOf(config), seed),
      config_(config),
      token_embedding_(Named("wte.weight")),
      position_embedding_(Named("wpe.weight")),
      final_norm_weight_(Named("ln_f.weight")),
      final_norm_bias_(Named("ln_f.bias")) {
  for (int64_t i = 0; i < config_.n_layers; ++i) {
    const std::string at = fmt::format("h.{}.", i);
    blocks_.push_back({.norm1_weight = Named(at + "ln_1.weight"),
                       .norm1_bias = Named(at + "ln_1.bias"),
                       .qkv = Named(at + "attn.qkv.weight"),
                       .qkv_bias = Find(at + "attn.qkv.bias"),
                       .attention_out = Named(at + "attn.proj.weight"),
                       .attention_bias = Find(at + "attn.proj.bias"),
                       .norm2_weight = Named(at + "ln_2.weight"),
                       .norm2_bias = Named(at + "ln_2.bias"),
                       .mlp_in = Named(at + "mlp.fc.weight"),
                       .mlp_in_bias = Find(at + "mlp.fc.bias"),
                       .mlp_out = Named(at + "mlp.proj.weight"),
                       .mlp_out_bias = Find(at + "mlp.proj.bias")});
  }
}

std::string Gpt::Summary() const {
  return fmt::format("{} layers, width {}, {} heads", config_.n_layers, config_.dim, config_.n_heads);
}

at::Tensor Gpt::Embed(const at::Tensor& tokens, int64_t first_position) const {
  at::NoGradGuard no_grad;
  const int64_t length = tokens.size(1);
  TORCH_CHECK(first_position + length <= config_.seq_len, "sequence of ", first_position + length,
              " tokens, but the model has ", config_.seq_len, " positions");
  return RowsOf(*token_embedding_, tokens, options().compute_dtype) +
         position_embedding_->compute.slice(0, first_position, first_position + length);  // (B, T, C)
}

void Gpt::AddEmbeddingGradient(const at::Tensor& tokens, const at::Tensor& dx) {
  at::Tensor& token_gradient = token_embedding_->gradient.Zeroed();
  token_gradient.index_add_(0, tokens.reshape({-1}), dx.flatten(0, 1).to(token_gradient.scalar_type()));
  at::Tensor& position_gradient = position_embedding_->gradient.Zeroed();
  position_gradient.slice(0, 0, dx.size(1)).add_(dx.sum(0));
}

// x: (B, T, C)
at::Tensor Gpt::Attention(const Block& block, at::Tensor x, KvCache* cache, size_t layer) {
  const int64_t batch = x.size(0), length = x.size(1), head_dim = config_.dim / config_.n_heads;
  const at::Tensor qkv = Linear(QuantizedInput(std::move(x), block.qkv), block.qkv, block.qkv_bias)
                             .view({batch, length, 3, config_.n_heads, head_dim});
  const AttentionOptions options{.scale = 1 / std::sqrt(static_cast<double>(head_dim))};
  at::Tensor mixed = CausalAttention(ops(), qkv.select(2, 0), qkv.select(2, 1), qkv.select(2, 2), options, cache, layer)
                         .reshape({batch, length, config_.dim});
  return Linear(QuantizedInput(std::move(mixed), block.attention_out), block.attention_out, block.attention_bias);
}

at::Tensor Gpt::Mlp(const Block& block, at::Tensor x) {
  at::Tensor inner = ops().Gelu(Linear(QuantizedInput(std::move(x), block.mlp_in), block.mlp_in, block.mlp_in_bias),
                                config_.gelu_tanh);
  return Linear(QuantizedInput(std::move(inner), block.mlp_out), block.mlp_out, block.mlp_out_bias);
}

at::Tensor Gpt::RunBlock(const Block& block, const at::Tensor& x, KvCache* cache, size_t layer) {
  const at::Tensor mixed =
      x + Attention(block, LayerNorm(x, block.norm1_weight, block.norm1_bias, kNormEpsilon), cache, layer);
  return mixed + Mlp(block, LayerNorm(mixed, block.norm2_weight, block.norm2_bias, kNormEpsilon));
}

at::Tensor Gpt::Hidden(const at::Tensor& x, KvCache* cache) {
  at::Tensor result = x;
  for (size_t layer = 0; layer < blocks_.size(); ++layer) {
    auto run = [this, cache, layer](const at::Tensor& input) { return RunBlock(blocks_[layer], input, cache, layer); };
    result = ThroughBlock(static_cast<int64_t>(layer), run, result);
  }
  if (cache != nullptr) cache->length += x.size(1);
  return LayerNorm(result, final_norm_weight_, final_norm_bias_, kNormEpsilon);
}

}  // namespace ridgeline
