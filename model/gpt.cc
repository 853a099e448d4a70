// SPDX-License-Identifier: Apache-2.0
#include "model/gpt.h"

#include <cmath>
#include <utility>

#include "fmt/format.h"
#include "model/attention.h"
#include "model/layers.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

constexpr double kInitialStddev = 0.02;
constexpr double kNormEpsilon = 1e-5;

absl::Status CheckConfig(const GptConfig& config, const ModelOptions& options) {
  if (config.n_layers < 1 || config.dim < 1 || config.n_heads < 1 || config.vocab_size < 1 || config.seq_len < 1)
    return absl::InvalidArgumentError(
        fmt::format("a GPT needs positive sizes; got n_layers {}, dim {}, n_heads {}, vocab_size {}, seq_len {}",
                    config.n_layers, config.dim, config.n_heads, config.vocab_size, config.seq_len));
  if (config.dim % config.n_heads != 0)
    return absl::InvalidArgumentError(
        fmt::format("model.dim {} is not a multiple of model.n_heads {}", config.dim, config.n_heads));
  return ValidateOptions(options, {config.dim, 4 * config.dim});
}

}  // namespace

absl::StatusOr<std::unique_ptr<Gpt>> Gpt::Create(const GptConfig& config, const ModelOptions& options,
                                                 std::optional<int64_t> seed) {
  if (absl::Status status = CheckConfig(config, options); !status.ok()) return status;
  return std::unique_ptr<Gpt>(new Gpt(config, options, seed));
}

Gpt::Gpt(const GptConfig& config, const ModelOptions& options, std::optional<int64_t> seed)
    : LanguageModel(options), config_(config) {
  at::Generator generator = at::detail::createCPUGenerator(static_cast<uint64_t>(seed.value_or(0)));
  auto normal = [&](int64_t rows, int64_t columns) {
    at::Tensor matrix = at::empty({rows, columns});
    return seed ? matrix.normal_(0, kInitialStddev, generator) : matrix;
  };
  auto bias = [&](const std::string& name, int64_t size) {
    return config_.has_biases ? AddVector(name, at::zeros({size})) : nullptr;
  };
  const int64_t c = config_.dim;
  token_embedding_ = AddMatrix("wte.weight", normal(config_.vocab_size, c));
  position_embedding_ = AddMatrix("wpe.weight", normal(config_.seq_len, c));
  for (int64_t i = 0; i < config_.n_layers; ++i) {
    const std::string at = fmt::format("h.{}.", i);
    Block block;
    block.norm1_weight = AddVector(at + "ln_1.weight", at::ones({c}));
    block.norm1_bias = AddVector(at + "ln_1.bias", at::zeros({c}));
    block.qkv = AddLinear(at + "attn.qkv.weight", normal(3 * c, c));
    block.qkv_bias = bias(at + "attn.qkv.bias", 3 * c);
    block.attention_out = AddLinear(at + "attn.proj.weight", normal(c, c));
    block.attention_bias = bias(at + "attn.proj.bias", c);
    block.norm2_weight = AddVector(at + "ln_2.weight", at::ones({c}));
    block.norm2_bias = AddVector(at + "ln_2.bias", at::zeros({c}));
    block.mlp_in = AddLinear(at + "mlp.fc.weight", normal(4 * c, c));
    block.mlp_in_bias = bias(at + "mlp.fc.bias", 4 * c);
    block.mlp_out = AddLinear(at + "mlp.proj.weight", normal(c, 4 * c));
    block.mlp_out_bias = bias(at + "mlp.proj.bias", c);
    blocks_.push_back(block);
  }
  final_norm_weight_ = AddVector("ln_f.weight", at::ones({c}));
  final_norm_bias_ = AddVector("ln_f.bias", at::zeros({c}));
  if (seed) RefreshCompute();
}

std::string Gpt::Summary() const {
  return fmt::format("{} layers, width {}, {} heads", config_.n_layers, config_.dim, config_.n_heads);
}

at::Tensor Gpt::Embed(const at::Tensor& tokens, int64_t first_position) const {
  at::NoGradGuard no_grad;
  const int64_t length = tokens.size(1);
  TORCH_CHECK(first_position + length <= config_.seq_len, "sequence of ", first_position + length,
              " tokens, but the model has ", config_.seq_len, " positions");
  return at::embedding(token_embedding_->compute, tokens) +
         position_embedding_->compute.slice(0, first_position, first_position + length);  // (B, T, C)
}

void Gpt::AddEmbeddingGradient(const at::Tensor& tokens, const at::Tensor& dx) {
  at::Tensor& token_gradient = token_embedding_->ZeroedGradient();
  token_gradient.index_add_(0, tokens.reshape({-1}), dx.flatten(0, 1).to(token_gradient.scalar_type()));
  at::Tensor& position_gradient = position_embedding_->ZeroedGradient();
  position_gradient.slice(0, 0, dx.size(1)).add_(dx.sum(0));
}

// x: (B, T, C)
at::Tensor Gpt::Attention(const Block& block, at::Tensor x, KvCache* cache, size_t layer) {
  const int64_t batch = x.size(0), length = x.size(1), head_dim = config_.dim / config_.n_heads;
  const at::Tensor qkv = Linear(QuantizedInput(std::move(x), block.qkv), block.qkv, block.qkv_bias)
                             .view({batch, length, 3, config_.n_heads, head_dim});
  const AttentionOptions options{.scale = 1 / std::sqrt(static_cast<double>(head_dim))};
  at::Tensor mixed = CausalAttention(qkv.select(2, 0), qkv.select(2, 1), qkv.select(2, 2), options, cache, layer)
                         .reshape({batch, length, config_.dim});
  return Linear(QuantizedInput(std::move(mixed), block.attention_out), block.attention_out, block.attention_bias);
}

at::Tensor Gpt::Mlp(const Block& block, at::Tensor x) {
  at::Tensor inner = at::gelu(Linear(QuantizedInput(std::move(x), block.mlp_in), block.mlp_in, block.mlp_in_bias),
                              config_.gelu_tanh ? "tanh" : "none");
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
    result = options().recompute_activations ? Recomputed(run, result) : run(result);
  }
  if (cache != nullptr) cache->length += x.size(1);
  return LayerNorm(result, final_norm_weight_, final_norm_bias_, kNormEpsilon);
}

}  // namespace ridgeline
