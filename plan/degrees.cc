// SPDX-License-Identifier: Apache-2.0
#include "plan/degrees.h"

#include <string>

#include "fmt/format.h"

namespace ridgeline {
namespace {

std::string Ranks(int64_t ranks) { return fmt::format("{} rank{}", ranks, ranks == 1 ? "" : "s"); }

}  // namespace

absl::StatusOr<Degrees> DegreesOf(const v1::Parallelism& parallelism, int64_t ranks) {
  const int64_t shard = parallelism.has_shard_degree() ? parallelism.shard_degree() : 1;
  const int64_t replicate = parallelism.replicate_degree();
  if (shard == 0 && replicate == 0) return Degrees{.shard = ranks, .replicate = 1};
  if (shard == 0) {
    if (ranks % replicate == 0) return Degrees{.shard = ranks / replicate, .replicate = replicate};
    return absl::InvalidArgumentError(fmt::format(
        "parallelism.replicate_degree: {} cannot be {} equal copies (set it to a divisor of the number of ranks)",
        Ranks(ranks), replicate));
  }
  if (replicate == 0) {
    if (ranks % shard == 0) return Degrees{.shard = shard, .replicate = ranks / shard};
    return absl::InvalidArgumentError(fmt::format(
        "parallelism.shard_degree: {} cannot be groups of {} (set it to a divisor of the number of ranks, or "
        "to 0 for all of them)",
        Ranks(ranks), shard));
  }
  if (shard * replicate == ranks) return Degrees{.shard = shard, .replicate = replicate};
  return absl::InvalidArgumentError(
      fmt::format("parallelism.replicate_degree: {} copies on {} each are not {} (set it to 0, which takes as many as "
                  "there is room for, or run on {})",
                  replicate, Ranks(shard), Ranks(ranks), Ranks(shard * replicate)));
}

bool ReshardsAfterForward(const v1::Parallelism& parallelism) {
  return !parallelism.has_reshard_after_forward() || parallelism.reshard_after_forward();
}

}  // namespace ridgeline
