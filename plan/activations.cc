// SPDX-License-Identifier: Apache-2.0
#include "plan/activations.h"

#include <algorithm>

#include "method/resolved_spec.h"
#include "model/logit_chunks.h"

namespace ridgeline {
namespace {

constexpr int64_t kFloatBytes = 4;

// Of one block, its input included.
struct BlockBytes {
  int64_t kept = 0;
  int64_t backward = 0;  // Beside what is kept, where the MLP's backward pass needs most.
};

// What the layers of one block keep of their inputs, for quantizers and passes as they are.
class InputCopies {
 public:
  InputCopies(const ParameterList& parameters, const Quantizers& quantizers, int64_t block, const PassSize& pass)
      : parameters_(parameters), quantizers_(quantizers), block_(block), pass_(pass) {}

  // How often this input is kept: for layers that multiply with it as it is or for the quantizer's backward pass, which
  // may do with less, and quantized.
  double Of(LayerInput input, bool is_kept_anyway = false) const {
    int64_t layers = 0, quantized = 0;
    for (const ParameterShape& parameter : parameters_) {
      if (parameter.block != block_ || parameter.input != input) continue;
      ++layers;
      quantized += InputQuantizerOf(parameter, quantizers_).enabled() ? 1 : 0;
    }
    const QuantizerSpec& spec = quantizers_.activation;
    const bool backward_needs_input = !PassesTrustedGradient(spec) && !PassesGradient(spec);
    const bool keeps_input = is_kept_anyway || quantized < layers || backward_needs_input;
    const double saved_bits = 8.0 * static_cast<double>(SavedBytes(spec, spec.block)) / static_cast<double>(spec.block);
    const double element_bits = 8 * static_cast<double>(pass_.element_bytes);
    return (keeps_input ? 1 : 0) + (quantized > 0 ? 1 + saved_bits / element_bits : 0);
  }

 private:
  const ParameterList& parameters_;
  const Quantizers& quantizers_;
  const int64_t block_;
  const PassSize& pass_;
};

int64_t KeptBytes(double elements, int64_t floats, const PassSize& pass) {
  const double token_bytes =
      elements * static_cast<double>(pass.element_bytes) + static_cast<double>(floats * kFloatBytes);
  return static_cast<int64_t>(static_cast<double>(pass.tokens()) * token_bytes);
}

// A block whose MLP keeps `inner` features of the activation function's inputs, and multiplies with `width` features
// `copies` times kept: the gradients of both exist while the inputs still do, and the copies no longer.
int64_t MlpBackwardBytes(int64_t dim, int64_t inner, int64_t width, double copies, const PassSize& pass) {
  const double elements = static_cast<double>(2 * dim + inner + width) - copies * static_cast<double>(width);
  return static_cast<int64_t>(elements * static_cast<double>(pass.tokens() * pass.element_bytes));
}

BlockBytes BlockOf(const GptConfig& config, const InputCopies& copies, int64_t, const PassSize& pass) {
  const int64_t c = config.dim;
  const double norm_outputs = copies.Of(LayerInput::kAttention) + copies.Of(LayerInput::kMlp);
  const double mixed = copies.Of(LayerInput::kMixed, /*is_kept_anyway=*/true), inner = copies.Of(LayerInput::kInner);
  // Two residuals, norms' outputs, q, k and v, what attention mixed, and the MLP before and after GELU.
  const double elements = static_cast<double>(c) * (2 + norm_outputs + 3 + mixed + 4 + inner * 4);
  const int64_t floats = 2 * 2 + config.n_heads;  // Means and deviations of two norms; attention's log-sum-exp.
  return {.kept = KeptBytes(elements, floats, pass), .backward = MlpBackwardBytes(c, 4 * c, 4 * c, inner, pass)};
}

BlockBytes BlockOf(const Gemma3Config& config, const InputCopies& copies, int64_t index, const PassSize& pass) {
  const int64_t c = config.dim, f = config.mlp_dim;
  const int64_t query = config.n_heads * config.head_dim, key = config.n_kv_heads * config.head_dim;
  const double norm_outputs = copies.Of(LayerInput::kAttention) + copies.Of(LayerInput::kMlp);
  const double mixed = copies.Of(LayerInput::kMixed, /*is_kept_anyway=*/true);
  const double inner = copies.Of(LayerInput::kInner);
  // Inputs of the four norms beside the two of the residual, and the norms' outputs that linear layers read.
  const double stream = (4 + norm_outputs) * static_cast<double>(c);
  // q and k before their norms, q after the rotation, k and v as attention reads them, what it mixed.
  const int64_t attended_key = config.n_heads == config.n_kv_heads ? key : query;  // Repeated for each group of heads.
  const double attention =
      static_cast<double>(query + key + query + 2 * attended_key) + mixed * static_cast<double>(query);
  const double elements = stream + attention + (2 + inner) * static_cast<double>(f);
  const int64_t floats = 4 + 2 * config.n_heads + config.n_kv_heads;  // Inverse RMS of each norm; log-sum-exp.
  const bool is_masked = config.slides[static_cast<size_t>(index)] && pass.seq_len > config.sliding_window;
  const int64_t mask = is_masked ? pass.seq_len * pass.seq_len * pass.element_bytes : 0;
  return {.kept = KeptBytes(elements, floats, pass) + mask, .backward = MlpBackwardBytes(c, 2 * f, f, inner, pass)};
}

// The gradient of the hidden states and one chunk of logits; with a teacher its hidden states, its logits, and a second
// copy of the student's.
int64_t HeadBytes(int64_t dim, int64_t vocab_size, const PassSize& pass) {
  const int64_t rows = std::min(pass.tokens(), LogitRowsAtOnce(vocab_size));
  const int64_t logits = rows * vocab_size * (pass.distills ? 3 : 1);
  return (pass.tokens() * dim * (pass.distills ? 2 : 1) + logits) * pass.element_bytes;
}

template <typename Config>
ActivationBytes SumOverBlocks(const Config& config, const Quantizers& quantizers, const PassSize& pass) {
  const ParameterList parameters = ParametersOf(config);
  const int64_t row_bytes = pass.tokens() * config.dim * pass.element_bytes;
  ActivationBytes sum{.kept = 2 * row_bytes,  // The last norm's input and output.
                      .head = HeadBytes(config.dim, config.vocab_size, pass)};
  for (int64_t i = 0; i < config.n_layers; ++i) {
    const BlockBytes block = BlockOf(config, InputCopies(parameters, quantizers, i, pass), i, pass);
    sum.kept += pass.recomputes ? row_bytes : block.kept;
    const int64_t again = pass.recomputes ? block.kept - row_bytes : 0;
    sum.block = std::max(sum.block, again + block.backward);
  }
  return sum;
}

}  // namespace

ActivationBytes ActivationsOf(const ModelConfig& config, const Quantizers& quantizers, const PassSize& pass) {
  return std::visit([&](const auto& shape) { return SumOverBlocks(shape, quantizers, pass); }, config);
}

}  // namespace ridgeline
