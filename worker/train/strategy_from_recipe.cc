// SPDX-License-Identifier: Apache-2.0
#include "worker/train/strategy_from_recipe.h"

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
