// SPDX-License-Identifier: Apache-2.0
#include "plan/work.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "plan/parameters.h"

namespace ridgeline {
namespace {

constexpr double kFlopsPerMac = 2;

// Pairs of positions that look at each other in one causal sequence. window 0: all before it.
double Pairs(int64_t seq_len, int64_t window) {
  const double t = static_cast<double>(seq_len),
               w = static_cast<double>(window > 0 ? std::min(window, seq_len) : seq_len);
  return w * (w + 1) / 2 + (t - w) * w;
}

// Multiplications of q with k and of weights with v, one block, one sequence.
double AttentionMacs(const GptConfig& config, int64_t, int64_t seq_len) {
  return static_cast<double>(2 * config.dim) * Pairs(seq_len, 0);
}

double AttentionMacs(const Gemma3Config& config, int64_t block, int64_t seq_len) {
  const bool slides = config.slides[static_cast<size_t>(block)];
  return static_cast<double>(2 * config.n_heads * config.head_dim) * Pairs(seq_len, slides ? config.sliding_window : 0);
}

// Of a forward pass of one sequence.
struct Macs {
  std::vector<double> blocks;
  double head = 0;

  double all_blocks() const { return std::accumulate(blocks.begin(), blocks.end(), 0.0); }
};

template <typename Config>
Macs MacsOf(const Config& config, int64_t seq_len) {
  Macs macs;
  for (int64_t i = 0; i < config.n_layers; ++i) macs.blocks.push_back(AttentionMacs(config, i, seq_len));
  for (const ParameterShape& parameter : ParametersOf(config))
    if (parameter.kind == ParameterKind::kLinear)
      macs.blocks[static_cast<size_t>(parameter.block)] += static_cast<double>(seq_len * parameter.elements());
  macs.head = static_cast<double>(seq_len * config.vocab_size * config.dim);
  return macs;
}

bool Recomputes(const v1::Recipe& recipe) { return recipe.activation_checkpoint().mode() == "full"; }

// A backward pass multiplies twice what the forward pass does: once for inputs, once for weights.
double FlopsOfSequence(const v1::Recipe& recipe, const Macs& macs) {
  double all = 3 * (macs.all_blocks() + macs.head);
  if (Recomputes(recipe)) all += macs.all_blocks();
  if (recipe.training().distill().weight() > 0) all += macs.all_blocks() + macs.head;
  return kFlopsPerMac * all;
}

// Of a pass of so many sequences. A teacher, beside whom nothing is exchanged, is left out.
PassSeconds SecondsOfPass(const v1::Recipe& recipe, const Macs& macs, int64_t sequences, double flops_per_second) {
  const double seconds_of_mac =
      flops_per_second > 0 ? kFlopsPerMac * static_cast<double>(sequences) / flops_per_second : 0;
  PassSeconds seconds{.head = 3 * macs.head * seconds_of_mac};
  for (double block : macs.blocks) {
    const double forward = block * seconds_of_mac;
    seconds.forward.push_back(forward);
    seconds.backward.push_back((Recomputes(recipe) ? 3 : 2) * forward);
  }
  return seconds;
}

}  // namespace

WorkPlan PlanWork(const v1::Recipe& recipe, const ModelConfig& config, const Quantizers& quantizers,
                  const Degrees& degrees, const SharedModel* shared, const Device& device) {
  const v1::Training& training = recipe.training();
  const int64_t ranks = degrees.shard * degrees.replicate;
  const BatchSplit split = SplitBatch(training, ranks);
  const PassPlan pass{.passes = split.passes(),
                      .reshards = ReshardsAfterForward(recipe.parallelism()),
                      .sum_bytes = SumBytes(training)};
  const Macs macs = std::visit([&](const auto& shape) { return MacsOf(shape, training.seq_len()); }, config);
  const ParameterList network = ParametersOf(config);
  WorkPlan work;
  work.flops = static_cast<double>(split.sequences_per_rank) * FlopsOfSequence(recipe, macs);
  const double rate = SustainedFlops(device, training.dtype() == "bfloat16");
  if (rate > 0) work.compute_seconds = work.flops / rate;
  work.fsdp_bytes = FsdpBytes(Count(network, {}).total, degrees, pass);
  if (shared == nullptr) {
    work.traffic = ReplicatedTraffic(Count(WithLearned(network, quantizers), quantizers).total, ranks, pass.sum_bytes);
    work.wire = ReplicatedSeconds(work.traffic, device, ranks);
  } else {
    work.traffic = SharedTraffic(*shared, degrees, pass);
    const PassSeconds compute = SecondsOfPass(recipe, macs, split.sequences_per_pass, rate);
    work.wire = SharedSeconds(*shared, degrees, pass, compute, work.traffic.rest, device);
  }
  return work;
}

}  // namespace ridgeline
