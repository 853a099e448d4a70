// SPDX-License-Identifier: Apache-2.0
#include "model/gpt.h"

#include <ATen/CPUGeneratorImpl.h>

#include <cmath>

#include "fmt/format.h"
#include "quant/autograd/fake_quantize.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

constexpr double kInitialStddev = 0.02;
constexpr double kNormEpsilon = 1e-5;

absl::Status CheckConfig(const GptConfig& config) {
  if (config.n_layers < 1 || config.dim < 1 || config.n_heads < 1 || config.vocab_size < 1 || config.seq_len < 1)
    return absl::InvalidArgumentError("a GPT needs at least one layer, feature, head, vocabulary entry and position");
  if (config.dim % config.n_heads != 0)
    return absl::InvalidArgumentError(
        fmt::format("model.dim {} is not a multiple of model.n_heads {}", config.dim, config.n_heads));
  for (const QuantizerSpec* spec : {&config.weight, &config.activation})
    if (absl::Status status = ValidateQuantizerSpec(*spec); !status.ok()) return status;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<GptConfig> GptShape(const std::string& name) {
  if (name == "gpt-nano") return GptConfig{.n_layers = 4, .dim = 128, .n_heads = 4};
  if (name == "gpt-11m") return GptConfig{.n_layers = 6, .dim = 384, .n_heads = 6};
  return absl::InvalidArgumentError(fmt::format("no GPT shape is called '{}': gpt-nano, gpt-11m", name));
}

absl::StatusOr<Gpt> Gpt::Create(const GptConfig& config, int64_t seed) {
  if (absl::Status status = CheckConfig(config); !status.ok()) return status;
  return Gpt(config, seed);
}

Gpt::Gpt(const GptConfig& config, int64_t seed) : config_(config) {
  at::Generator generator = at::detail::createCPUGenerator(static_cast<uint64_t>(seed));
  auto add = [this](const std::string& name, at::Tensor tensor, bool decays) {
    tensor.requires_grad_(true);
    parameters_.push_back({name, tensor, decays});
    return tensor;
  };
  auto matrix = [&](const std::string& name, int64_t rows, int64_t columns) {
    return add(name, at::empty({rows, columns}).normal_(0, kInitialStddev, generator), true);
  };
  auto ones = [&](const std::string& name) { return add(name, at::ones({config_.dim}), false); };
  auto zeros = [&](const std::string& name) { return add(name, at::zeros({config_.dim}), false); };

  const int64_t c = config_.dim;
  token_embedding_ = matrix("wte.weight", config_.vocab_size, c);
  position_embedding_ = matrix("wpe.weight", config_.seq_len, c);
  for (int64_t i = 0; i < config_.n_layers; ++i) {
    const std::string at = fmt::format("h.{}.", i);
    Block block;
    block.norm1_weight = ones(at + "ln_1.weight");
    block.norm1_bias = zeros(at + "ln_1.bias");
    block.qkv = matrix(at + "attn.qkv.weight", 3 * c, c);
    block.attention_out = matrix(at + "attn.proj.weight", c, c);
    block.norm2_weight = ones(at + "ln_2.weight");
    block.norm2_bias = zeros(at + "ln_2.bias");
    block.mlp_in = matrix(at + "mlp.fc.weight", 4 * c, c);
    block.mlp_out = matrix(at + "mlp.proj.weight", c, 4 * c);
    blocks_.push_back(std::move(block));
  }
  final_norm_weight_ = ones("ln_f.weight");
  final_norm_bias_ = zeros("ln_f.bias");
}

// x: (B, T, in), weight: (out, in) -> (B, T, out)
at::Tensor Gpt::QuantizedLinear(const at::Tensor& x, const at::Tensor& weight) const {
  return at::linear(FakeQuantize(x, config_.activation), FakeQuantize(weight, config_.weight));
}

at::Tensor Gpt::Attention(const Block& block, const at::Tensor& x) const {
  const int64_t batch = x.size(0), length = x.size(1), head_dim = config_.dim / config_.n_heads;
  at::Tensor qkv = QuantizedLinear(x, block.qkv)                                // (B, T, 3C)
                       .view({batch, length, 3, config_.n_heads, head_dim})
                       .permute({2, 0, 3, 1, 4});                               // (3, B, H, T, D)
  at::Tensor mixed = at::scaled_dot_product_attention(qkv[0], qkv[1], qkv[2], {}, 0.0, /*is_causal=*/true);
  return QuantizedLinear(mixed.transpose(1, 2).reshape({batch, length, config_.dim}), block.attention_out);
}

at::Tensor Gpt::Mlp(const Block& block, const at::Tensor& x) const {
  return QuantizedLinear(at::gelu(QuantizedLinear(x, block.mlp_in)), block.mlp_out);
}

at::Tensor Gpt::Logits(const at::Tensor& tokens) const {
  const int64_t length = tokens.size(1);
  TORCH_CHECK(length <= config_.seq_len, "sequence of ", length, " tokens, but the model has ", config_.seq_len,
              " positions");
  const std::vector<int64_t> shape = {config_.dim};
  auto norm = [&](const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
    return at::layer_norm(x, shape, weight, bias, kNormEpsilon);
  };
  at::Tensor x = at::embedding(token_embedding_, tokens) + position_embedding_.slice(0, 0, length);  // (B, T, C)
  for (const Block& block : blocks_) {
    x = x + Attention(block, norm(x, block.norm1_weight, block.norm1_bias));
    x = x + Mlp(block, norm(x, block.norm2_weight, block.norm2_bias));
  }
  return at::linear(norm(x, final_norm_weight_, final_norm_bias_), token_embedding_);  // (B, T, V)
}

std::vector<at::Tensor> Gpt::LinearWeights() const {
  std::vector<at::Tensor> weights;
  for (const Block& block : blocks_)
    weights.insert(weights.end(), {block.qkv, block.attention_out, block.mlp_in, block.mlp_out});
  return weights;
}

ModelCost Gpt::Cost() const {
  std::vector<LinearCost> linears;
  int64_t elements = 0, linear_elements = 0;
  for (const NamedParameter& parameter : parameters_) elements += parameter.tensor.numel();
  for (const at::Tensor& weight : LinearWeights()) {
    linears.push_back({.rows = weight.size(0), .columns = weight.size(1), .weight = config_.weight,
                       .activation = config_.activation});
    linear_elements += weight.numel();
  }
  return CostOfModel(linears, elements - linear_elements, token_embedding_.numel());
}

double Gpt::WeightErrorRatio() const {
  if (!config_.weight.enabled()) return 0;
  double error = 0, energy = 0;
  for (const at::Tensor& weight : LinearWeights()) {
    double weight_energy = weight.detach().square().sum().item<double>();
    error += QuantErrorRatio(weight, config_.weight) * weight_energy;
    energy += weight_energy;
  }
  return energy > 0 ? error / energy : 0;
}

}  // namespace ridgeline
