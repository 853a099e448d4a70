// SPDX-License-Identifier: Apache-2.0
#include "model/gemma3.h"

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

absl::StatusOr<std::unique_ptr<Gemma3>> Gemma3::Create(const Gemma3Config& config, const ModelOptions& options,
                                                       std::optional<int64_t> seed) {
  RETURN_IF_ERROR(ValidateGemma3Config(config));
  RETURN_IF_ERROR(ValidateOptions(options, RowLengths(config)));
  return std::unique_ptr<Gemma3>(new Gemma3(config, options, seed));
}

Gemma3::Gemma3(const Gemma3Config& config, const ModelOptions& options, std::optional<int64_t> seed)
    : LanguageModel(options, ParametersOf(config), seed),
      config_(config),
      embedding_(Named("model.embed_tokens.weight")),
      final_norm_(Named("model.norm.weight")) {
  for (int64_t i = 0; i < config_.n_layers; ++i) layers_.push_back(LayerAt(i));
}

Gemma3::Layer Gemma3::LayerAt(int64_t index) {
  auto weight = [&](const char* name) { return Named(fmt::format("model.layers.{}.{}.weight", index, name)); };
  return {.slides = config_.slides[static_cast<size_t>(index)],
          .input_norm = weight("input_layernorm"),
          .post_attention_norm = weight("post_attention_layernorm"),
          .pre_mlp_norm = weight("pre_feedforward_layernorm"),
          .post_mlp_norm = weight("post_feedforward_layernorm"),
          .q = weight("self_attn.q_proj"),
          .k = weight("self_attn.k_proj"),
          .v = weight("self_attn.v_proj"),
          .out = weight("self_attn.o_proj"),
          .q_norm = weight("self_attn.q_norm"),
          .k_norm = weight("self_attn.k_norm"),
          .gate = weight("mlp.gate_proj"),
          .up = weight("mlp.up_proj"),
          .down = weight("mlp.down_proj")};
}

std::string Gemma3::Summary() const {
  return fmt::format("{} layers, width {}, {} heads on {} of keys", config_.n_layers, config_.dim, config_.n_heads,
                     config_.n_kv_heads);
}

at::Tensor Gemma3::Embed(const at::Tensor& tokens, int64_t first_position) const {
  at::NoGradGuard no_grad;
  TORCH_CHECK(first_position + tokens.size(1) <= config_.max_length, "sequence of ", first_position + tokens.size(1),
              " tokens, but the model has ", config_.max_length, " positions");
  const at::Tensor scale = at::scalar_tensor(std::sqrt(static_cast<double>(config_.dim)), options().compute_dtype);
  return RowsOf(*embedding_, tokens, options().compute_dtype) *
         scale;  // (B, T, C); the scale is rounded to the compute dtype
}

void Gemma3::AddEmbeddingGradient(const at::Tensor& tokens, const at::Tensor& dx) {
  at::Tensor& gradient = embedding_->gradient.Zeroed();
  const at::Tensor scale = at::scalar_tensor(std::sqrt(static_cast<double>(config_.dim)), options().compute_dtype);
  gradient.index_add_(0, tokens.reshape({-1}), (dx * scale).flatten(0, 1).to(gradient.scalar_type()));
}

// As transformers does it: angles in float32, then cosines and sines rounded to the compute dtype.
Gemma3::Angles Gemma3::AnglesAt(int64_t first_position, int64_t length, double base, double factor) const {
  at::NoGradGuard no_grad;
  const at::TensorOptions wide = at::TensorOptions(at::kFloat).device(options().device);
  const at::Tensor exponents = at::arange(0, config_.head_dim, 2, wide) / static_cast<double>(config_.head_dim);
  const at::Tensor frequencies = at::reciprocal(at::pow(at::Scalar(base), exponents)) / factor;  // (D / 2)
  const at::Tensor positions = at::arange(first_position, first_position + length, wide);
  const at::Tensor angles = at::outer(positions, frequencies);  // (T, D / 2)
  const at::ScalarType dtype = options().compute_dtype;
  return {angles.cos().to(dtype).to(at::kFloat), angles.sin().to(dtype).to(at::kFloat)};
}

// x: (B, T, C)
at::Tensor Gemma3::Attention(const Layer& layer, at::Tensor x, const Angles& angles, KvCache* cache, size_t index) {
  const int64_t batch = x.size(0), length = x.size(1), d = config_.head_dim;
  const SharedInput input(std::move(x), {layer.q, layer.k, layer.v});
  auto heads = [&](Parameter* weight) { return Linear(input.For(weight), weight).view({batch, length, -1, d}); };
  const at::Tensor q =
      Rotary(ops(), RmsNorm(heads(layer.q), layer.q_norm, config_.norm_epsilon), angles.cosines, angles.sines);
  const at::Tensor k =
      Rotary(ops(), RmsNorm(heads(layer.k), layer.k_norm, config_.norm_epsilon), angles.cosines, angles.sines);
  const AttentionOptions options{.scale = 1 / std::sqrt(config_.query_scale),
                                 .window = layer.slides ? config_.sliding_window : 0};
  at::Tensor mixed =
      CausalAttention(ops(), q, k, heads(layer.v), options, cache, index).reshape({batch, length, config_.n_heads * d});
  return Linear(QuantizedInput(std::move(mixed), layer.out), layer.out);
}

at::Tensor Gemma3::Mlp(const Layer& layer, at::Tensor x) {
  const SharedInput input(std::move(x), {layer.gate, layer.up});
  at::Tensor inner = Geglu(ops(), Linear(input.For(layer.gate), layer.gate), Linear(input.For(layer.up), layer.up));
  return Linear(QuantizedInput(std::move(inner), layer.down), layer.down);
}

at::Tensor Gemma3::RunLayer(const Layer& layer, const at::Tensor& x, const Angles& angles, KvCache* cache,
                            size_t index) {
  auto norm = [&](const at::Tensor& input, Parameter* weight) { return RmsNorm(input, weight, config_.norm_epsilon); };
  const at::Tensor mixed =
      x + norm(Attention(layer, norm(x, layer.input_norm), angles, cache, index), layer.post_attention_norm);
  return mixed + norm(Mlp(layer, norm(mixed, layer.pre_mlp_norm)), layer.post_mlp_norm);
}

at::Tensor Gemma3::Hidden(const at::Tensor& x, KvCache* cache) {
  const int64_t first = cache == nullptr ? 0 : cache->length, length = x.size(1);
  const Angles local = AnglesAt(first, length, config_.rope_local_base, 1);
  const Angles global = AnglesAt(first, length, config_.rope_global_base, config_.rope_global_factor);
  at::Tensor result = x;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Angles& angles = layers_[i].slides ? local : global;
    auto run = [this, angles, cache, i](const at::Tensor& input) {
      return RunLayer(layers_[i], input, angles, cache, i);
    };
    result = ThroughBlock(static_cast<int64_t>(i), run, result);
  }
  if (cache != nullptr) cache->length += length;
  return RmsNorm(result, final_norm_, config_.norm_epsilon);
}

}  // namespace ridgeline
