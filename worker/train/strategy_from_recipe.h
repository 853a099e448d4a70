// SPDX-License-Identifier: Apache-2.0
// From a recipe to the way in which the ranks train its network together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "comm/communicator.h"
#include "model/language_model.h"
#include "ridgeline/v1/recipe.pb.h"
#include "worker/parallel/strategy.h"

namespace ridgeline {

// The ranks with which this one shares the model, or its rows; null where it does so with none.
struct RankGroups {
  std::unique_ptr<Communicator> shard, replicate;

  int64_t shard_rank() const { return shard == nullptr ? 0 : shard->rank(); }
  int64_t shard_ranks() const { return shard == nullptr ? 1 : shard->size(); }
};

// Called by every rank. Ranks that follow each other share a copy: they are those of one machine, where the copies are
// not larger. INVALID_ARGUMENT where the recipe's degrees do not come to the group's size.
absl::StatusOr<RankGroups> GroupsFromRecipe(const v1::Recipe& recipe, Communicator& communicator);

// `model`, which ModelFromRecipe made for this rank, groups and communicator must outlive it. `extras` numbers travel
// with its gradients. REQUIRES, here and above: the recipe's defaults are filled in.
std::unique_ptr<Strategy> StrategyFromRecipe(const v1::Recipe& recipe, LanguageModel* model, size_t extras,
                                             const RankGroups& groups, Communicator& communicator);

}  // namespace ridgeline
