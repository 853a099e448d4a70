// SPDX-License-Identifier: Apache-2.0
// From a recipe to the network that is trained; and back, for the frontier.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "model/language_model.h"
#include "ridgeline/v1/frontier.pb.h"
#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline {

// Whose part of the network, and where it computes.
struct ModelPlace {
  int64_t shard_rank = 0, shard_ranks = 1;
  at::Device device = at::kCPU;
};

// The network with its first weights: those of model.path, or random ones of training.seed. Its vocabulary is that of
// the weights or of a Gemma or GPT-2 shape, otherwise `vocab_size`, which it must hold. REQUIRES: the recipe's defaults
// are filled in. Of ranks that share it, this one's part. UNIMPLEMENTED names the key that asks for what cannot be
// done, INVALID_ARGUMENT and NOT_FOUND what does not fit or is not there.
absl::StatusOr<std::unique_ptr<LanguageModel>> ModelFromRecipe(const v1::Recipe& recipe, int64_t vocab_size,
                                                               const ModelPlace& place);

// The teacher of training.distill: model.path without quantizers.
absl::StatusOr<std::unique_ptr<LanguageModel>> TeacherFromRecipe(const v1::Recipe& recipe, const at::Device& device);

// A point with everything that the recipe and the model's cost decide; measurements are the caller's to add.
v1::FrontierPoint PointFromRecipe(const v1::Recipe& recipe, const ModelCost& cost);

}  // namespace ridgeline
