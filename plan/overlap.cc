// SPDX-License-Identifier: Apache-2.0
#include "plan/overlap.h"

#include <algorithm>
#include <cstdint>

namespace ridgeline {
namespace {

// Of one unit, on the rank that sends most.
struct UnitSeconds {
  double gather = 0;
  double gradient = 0;
};

UnitSeconds SecondsOf(const SharedUnit& unit, double bytes_per_second) {
  return {static_cast<double>(unit.MostGatherSent()) / bytes_per_second,
          static_cast<double>(unit.MostGradientSent()) / bytes_per_second};
}

// Adds what is exchanged at once, behind so much computation.
void Exchange(double seconds, double hidden_by, WireSeconds* sum) {
  sum->all += seconds;
  sum->exposed += std::max(0.0, seconds - hidden_by);
}

WireSeconds OfPass(const UnitSeconds& outer, const std::vector<UnitSeconds>& blocks, bool reshards,
                   const PassSeconds& compute) {
  WireSeconds sum;
  const size_t n = blocks.size();
  // The second gather of the block before block `i`, where there is one.
  const auto again = [&](size_t i) { return reshards && i > 0 ? blocks[i - 1].gather : 0; };
  Exchange(outer.gather + blocks.front().gather, 0, &sum);
  for (size_t i = 0; i + 1 < n; ++i) Exchange(blocks[i + 1].gather, compute.forward[i], &sum);
  Exchange(again(n - 1), compute.forward[n - 1] + compute.head, &sum);
  for (size_t i = n; i-- > 0;) Exchange(i + 1 < n ? again(i) + blocks[i + 1].gradient : 0, compute.backward[i], &sum);
  Exchange(blocks.front().gradient + outer.gradient, 0, &sum);
  return sum;
}

}  // namespace

double LinkOf(const Device& device, int64_t ranks) {
  return ranks <= device.ranks_per_node ? device.node_bytes_per_second : device.link_bytes_per_second;
}

WireSeconds ReplicatedSeconds(const Traffic& traffic, const Device& device, int64_t ranks) {
  const double seconds = traffic.total() / LinkOf(device, ranks);
  return {.all = seconds, .exposed = seconds};
}

WireSeconds SharedSeconds(const SharedModel& model, const Degrees& degrees, const PassPlan& pass,
                          const PassSeconds& compute, double rest_bytes, const Device& device) {
  const double bytes_per_second = LinkOf(device, degrees.shard);
  std::vector<UnitSeconds> blocks;
  for (int64_t i = 0; i < model.blocks(); ++i) blocks.push_back(SecondsOf(model.block(i), bytes_per_second));
  WireSeconds sum = OfPass(SecondsOf(model.outer(), bytes_per_second), blocks, pass.reshards, compute);
  sum.all *= static_cast<double>(pass.passes);
  sum.exposed *= static_cast<double>(pass.passes);
  Exchange(rest_bytes / LinkOf(device, degrees.shard * degrees.replicate), 0, &sum);
  return sum;
}

}  // namespace ridgeline
