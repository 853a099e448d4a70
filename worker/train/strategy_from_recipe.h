// SPDX-License-Identifier: Apache-2.0
// From a recipe to the way in which the ranks train its network together.
#pragma once

#include <cstddef>
#include <memory>

#include "comm/communicator.h"
#include "model/language_model.h"
#include "ridgeline/v1/recipe.pb.h"
#include "worker/parallel/strategy.h"
#include "worker/train/rank_groups.h"

namespace ridgeline {

// `model`, which ModelFromRecipe made for this rank, groups and communicator must outlive it. `extras` numbers travel
// with its gradients. REQUIRES: the recipe's defaults are filled in.
std::unique_ptr<Strategy> StrategyFromRecipe(const v1::Recipe& recipe, LanguageModel* model, size_t extras,
                                             const RankGroups& groups, Communicator& communicator);

}  // namespace ridgeline
