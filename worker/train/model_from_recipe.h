// SPDX-License-Identifier: Apache-2.0
// What a recipe says about the model, in the model's own terms; and back, for the frontier.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "model/language_model.h"
#include "ridgeline/v1/frontier.pb.h"
#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline {

// The network with its first weights: those of model.path, or random ones of training.seed. Its vocabulary is that of
// the weights or of a Gemma or GPT-2 shape, otherwise `vocab_size`, which it must hold. REQUIRES: the recipe's defaults
// are filled in. INVALID_ARGUMENT and NOT_FOUND name the key that does not fit.
absl::StatusOr<std::unique_ptr<LanguageModel>> ModelFromRecipe(const v1::Recipe& recipe, int64_t vocab_size);

// The teacher of training.distill: model.path without quantizers.
absl::StatusOr<std::unique_ptr<LanguageModel>> TeacherFromRecipe(const v1::Recipe& recipe);

// n:m, or {0, 0} for dense. INVALID_ARGUMENT for other text.
absl::StatusOr<SparsityPattern> ParseSparsityPattern(const std::string& text);

// "gpt-nano", or with its sizes where the recipe overrides them: "gpt-nano(n_layers=2)"; of model.path, its last part.
std::string ModelLabel(const v1::Recipe& recipe);

// A point with everything that the recipe and the model's cost decide; measurements are the caller's to add.
v1::FrontierPoint PointFromRecipe(const v1::Recipe& recipe, const ModelCost& cost);

}  // namespace ridgeline
