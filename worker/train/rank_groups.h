// SPDX-License-Identifier: Apache-2.0
// Who shares a model with whom among the ranks of a group.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "comm/communicator.h"
#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline {

// The ranks with which this one shares a model, and those that hold the same rows of other copies; null where there are
// none.
struct RankGroups {
  std::unique_ptr<Communicator> shard, replicate;

  int64_t shard_rank() const { return shard == nullptr ? 0 : shard->rank(); }
  int64_t shard_ranks() const { return shard == nullptr ? 1 : shard->size(); }
};

// Those of the jobs that a rank has trained: they are made once, since there can only be so many of them. One a rank;
// used by one thread. The communicator must outlive it.
class RankGroupsOfJobs {
 public:
  // Called by every rank. Ranks that follow each other share a copy: they are those of one machine, where a copy needs
  // no more. Valid as long as this. INVALID_ARGUMENT where the recipe's degrees do not come to the group's size.
  absl::StatusOr<const RankGroups*> Of(const v1::Recipe& recipe, Communicator& communicator);

 private:
  std::map<std::pair<int64_t, int64_t>, RankGroups> by_degrees_;  // Shard, replicate.
};

}  // namespace ridgeline
