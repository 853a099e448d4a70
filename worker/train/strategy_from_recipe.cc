// SPDX-License-Identifier: Apache-2.0
#include "worker/train/strategy_from_recipe.h"

#include "plan/network.h"
#include "worker/parallel/replicated.h"

namespace ridgeline {

std::unique_ptr<Strategy> StrategyFromRecipe(const v1::Recipe& recipe, LanguageModel* model, size_t extras,
                                             Communicator& communicator) {
  const v1::Sparsity& sparsity = recipe.sparsity();
  return MakeReplicated(model, recipe.optimizer(),
                        {.accumulates = SplitBatch(recipe.training(), communicator.size()).accumulates(),
                         .extras = extras,
                         .mask_decay = sparsity.mask_decay_kind() == "decoupled" ? sparsity.mask_decay() : 0},
                        communicator);
}

}  // namespace ridgeline
