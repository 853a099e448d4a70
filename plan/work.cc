// SPDX-License-Identifier: Apache-2.0
#include "plan/work.h"

#include <algorithm>

namespace ridgeline {
namespace {

constexpr double kFlopsPerMac = 2;
constexpr double kGradientBytes = 4;  // All gradients travel as float32.

// Pairs of positions that look at each other in one causal sequence. window 0: all before it.
double Pairs(int64_t seq_len, int64_t window) {
  const double t = static_cast<double>(seq_len),
               w = static_cast<double>(window > 0 ? std::min(window, seq_len) : seq_len);
  return w * (w + 1) / 2 + (t - w) * w;
}

// Multiplications of q with k and of weights with v, all layers, one sequence.
double AttentionMacs(const GptConfig& config, int64_t seq_len) {
  return static_cast<double>(config.n_layers * 2 * config.dim) * Pairs(seq_len, 0);
}

double AttentionMacs(const Gemma3Config& config, int64_t seq_len) {
  double pairs = 0;
  for (bool slides : config.slides) pairs += Pairs(seq_len, slides ? config.sliding_window : 0);
  return static_cast<double>(2 * config.n_heads * config.head_dim) * pairs;
}

// A backward pass multiplies twice what the forward pass does: once for inputs, once for weights.
double FlopsOfSequence(const v1::Recipe& recipe, const ModelConfig& config, const ParameterCounts& counts) {
  const int64_t seq_len = recipe.training().seq_len();
  const double attention = std::visit([&](const auto& shape) { return AttentionMacs(shape, seq_len); }, config);
  const double head =
      static_cast<double>(seq_len) *
      static_cast<double>(std::visit([](const auto& shape) { return shape.vocab_size * shape.dim; }, config));
  const double blocks = static_cast<double>(seq_len) * static_cast<double>(counts.linears) + attention;
  double macs = 3 * (blocks + head);
  if (recipe.activation_checkpoint().mode() == "full") macs += blocks;
  if (recipe.training().distill().weight() > 0) macs += blocks + head;
  return kFlopsPerMac * macs;
}

}  // namespace

WorkPlan PlanWork(const v1::Recipe& recipe, const ModelConfig& config, const ParameterCounts& counts, int64_t ranks,
                  const Device& device) {
  const v1::Training& training = recipe.training();
  WorkPlan work;
  work.flops =
      static_cast<double>(SplitBatch(training, ranks).sequences_per_rank) * FlopsOfSequence(recipe, config, counts);
  const double n = static_cast<double>(ranks);
  work.wire_bytes = 2 * (n - 1) / n * kGradientBytes * static_cast<double>(counts.total);
  const double rate = SustainedFlops(device, training.dtype() == "bfloat16");
  if (rate > 0) work.compute_seconds = work.flops / rate;
  work.wire_seconds = work.wire_bytes / device.link_bytes_per_second;
  return work;
}

}  // namespace ridgeline
