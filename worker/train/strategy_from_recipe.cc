// SPDX-License-Identifier: Apache-2.0
#include "worker/train/strategy_from_recipe.h"

#include "common/status_macros.h"
#include "plan/degrees.h"
#include "plan/network.h"
#include "worker/parallel/replicated.h"
#include "worker/parallel/sharded.h"

namespace ridgeline {
namespace {

double MaskDecayOfOptimizer(const v1::Sparsity& sparsity) {
  return sparsity.mask_decay_kind() == "decoupled" ? sparsity.mask_decay() : 0;
}

}  // namespace

absl::StatusOr<RankGroups> GroupsFromRecipe(const v1::Recipe& recipe, Communicator& communicator) {
  RankGroups groups;
  ASSIGN_OR_RETURN(const Degrees degrees, DegreesOf(recipe.parallelism(), communicator.size()));
  if (degrees.shard == 1) return groups;
  ASSIGN_OR_RETURN(groups.shard, communicator.Group(communicator.rank() / degrees.shard, "ranks that share a model"));
  if (degrees.replicate == 1) return groups;
  ASSIGN_OR_RETURN(groups.replicate,
                   communicator.Group(communicator.rank() % degrees.shard, "ranks that have the same rows"));
  return groups;
}

std::unique_ptr<Strategy> StrategyFromRecipe(const v1::Recipe& recipe, LanguageModel* model, size_t extras,
                                             const RankGroups& groups, Communicator& communicator) {
  const double mask_decay = MaskDecayOfOptimizer(recipe.sparsity());
  if (groups.shard != nullptr)
    return MakeSharded(model, recipe.optimizer(),
                       {.reshard_after_forward = ReshardsAfterForward(recipe.parallelism()),
                        .gradient_dtype = GradientDtypeNamed(recipe.parallelism().gradient_dtype()),
                        .extras = extras,
                        .mask_decay = mask_decay},
                       {&communicator, groups.shard.get(), groups.replicate.get()});
  const bool accumulates = SplitBatch(recipe.training(), communicator.size()).accumulates();
  return MakeReplicated(
      model, recipe.optimizer(),
      {.gradients_in_bfloat16 = model->options().compute_dtype == at::kBFloat16 && !accumulates,
       .extras = extras,
       .mask_decay = mask_decay},
      communicator);
}

}  // namespace ridgeline
