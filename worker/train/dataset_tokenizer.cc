// SPDX-License-Identifier: Apache-2.0
#include "worker/train/dataset_tokenizer.h"

#include "common/status_macros.h"
#include "data/load_tokenizer_from.h"
#include "data/same_tokenizer.h"
#include "fmt/format.h"

namespace ridgeline {

absl::Status CheckDatasetTokenizer(const v1::Recipe& recipe, const Dataset& dataset, std::string* untold) {
  untold->clear();
  if (!recipe.model().has_path()) return absl::OkStatus();
  const auto tokenizer = LoadTokenizerFrom(recipe.model().path());
  if (absl::IsNotFound(tokenizer.status()) || absl::IsUnimplemented(tokenizer.status())) {
    *untold = fmt::format("whether {} was prepared with the model's tokenizer cannot be told: {}",
                          recipe.dataset().path(), std::string(tokenizer.status().message()));
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(tokenizer.status());
  return CheckSameTokenizer(dataset.tokenizer(), recipe.dataset().path(), **tokenizer, recipe.model().path());
}

}  // namespace ridgeline
