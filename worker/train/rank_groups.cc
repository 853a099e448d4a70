// SPDX-License-Identifier: Apache-2.0
#include "worker/train/rank_groups.h"

#include "common/status_macros.h"
#include "plan/degrees.h"

namespace ridgeline {

absl::StatusOr<const RankGroups*> RankGroupsOfJobs::Of(const v1::Recipe& recipe, Communicator& communicator) {
  ASSIGN_OR_RETURN(const Degrees degrees, DegreesOf(recipe.parallelism(), communicator.size()));
  const std::pair key(degrees.shard, degrees.replicate);
  if (const auto known = by_degrees_.find(key); known != by_degrees_.end()) return &known->second;
  RankGroups groups;
  if (degrees.shard > 1) {
    ASSIGN_OR_RETURN(groups.shard, communicator.Group(communicator.rank() / degrees.shard, "ranks that share a model"));
    if (degrees.replicate > 1) {
      ASSIGN_OR_RETURN(groups.replicate,
                       communicator.Group(communicator.rank() % degrees.shard, "ranks that have the same rows"));
    }
  }
  return &by_degrees_.emplace(key, std::move(groups)).first->second;
}

}  // namespace ridgeline
