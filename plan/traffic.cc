// SPDX-License-Identifier: Apache-2.0
#include "plan/traffic.h"

namespace ridgeline {
namespace {

constexpr double kBfloat16Bytes = 2;
constexpr double kExtraBytes = 5 * 4;  // Loss, divergence and what else is summed with the gradients.

double Double(int64_t value) { return static_cast<double>(value); }

Traffic OfRank(const SharedModel& model, const Degrees& degrees, const PassPlan& pass, size_t rank) {
  Traffic traffic;
  for (int64_t i = 0; i < model.blocks(); ++i) {
    const bool is_gathered_again = pass.reshards && i + 1 < model.blocks();
    traffic.gathers += (is_gathered_again ? 2 : 1) * Double(model.block(i).GatherSent(rank));
    traffic.gradients += Double(model.block(i).GradientSent(rank));
  }
  traffic.gathers += Double(model.outer().GatherSent(rank));
  traffic.gradients += Double(model.outer().GradientSent(rank));
  traffic.gathers *= Double(pass.passes);
  traffic.gradients *= Double(pass.passes);
  const RankHolding& holding = model.ranks[rank];
  traffic.rest =
      AllReduceBytes(Double((holding.numbers - holding.learned) * pass.sum_bytes), degrees.replicate) +
      AllReduceBytes(Double(model.whole_numbers * pass.sum_bytes) + kExtraBytes, degrees.shard * degrees.replicate);
  return traffic;
}

}  // namespace

int64_t SumBytes(const v1::Training& training) { return training.deterministic() ? 8 : 4; }

double AllReduceBytes(double bytes, int64_t ranks) { return 2 * Double(ranks - 1) / Double(ranks) * bytes; }

Traffic ReplicatedTraffic(int64_t parameters, int64_t ranks, int64_t sum_bytes) {
  return {.gradients = AllReduceBytes(Double(parameters * sum_bytes), ranks)};
}

Traffic SharedTraffic(const SharedModel& model, const Degrees& degrees, const PassPlan& pass) {
  Traffic most;
  for (size_t rank = 0; rank < model.ranks.size(); ++rank)
    if (const Traffic traffic = OfRank(model, degrees, pass, rank); traffic.total() > most.total()) most = traffic;
  return most;
}

double FsdpBytes(int64_t parameters, const Degrees& degrees, const PassPlan& pass) {
  const double p = Double(parameters), share = Double(degrees.shard - 1) / Double(degrees.shard);
  return Double(pass.passes) * 3 * kBfloat16Bytes * p * share +
         AllReduceBytes(kBfloat16Bytes * p / Double(degrees.shard), degrees.replicate);
}

}  // namespace ridgeline
