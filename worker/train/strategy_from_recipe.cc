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

GradientSums SumsOfReplicated(const v1::Training& training, int64_t ranks) {
  if (training.deterministic()) return GradientSums::kFloat64;
  const bool one_pass_in_bfloat16 = training.dtype() == "bfloat16" && !SplitBatch(training, ranks).accumulates();
  return one_pass_in_bfloat16 ? GradientSums::kBfloat16 : GradientSums::kFloat32;
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
  const bool is_deterministic = recipe.training().deterministic();
  if (groups.shard != nullptr)
    return MakeSharded(model, recipe.optimizer(),
                       {.reshard_after_forward = ReshardsAfterForward(recipe.parallelism()),
                        .gradient_dtype = GradientDtypeNamed(recipe.parallelism().gradient_dtype()),
                        .sums = is_deterministic ? GradientSums::kFloat64 : GradientSums::kFloat32,
                        .extras = extras,
                        .mask_decay = mask_decay},
                       {&communicator, groups.shard.get(), groups.replicate.get()});
  return MakeReplicated(
      model, recipe.optimizer(),
      {.sums = SumsOfReplicated(recipe.training(), communicator.size()), .extras = extras, .mask_decay = mask_decay},
      communicator);
}

}  // namespace ridgeline
