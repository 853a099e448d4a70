// SPDX-License-Identifier: Apache-2.0
// A dataset and the model that trains on it have to agree about what ids mean.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "data/dataset.h"
#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline {

// INVALID_ARGUMENT if recipe.model.path has a tokenizer and it is another one than the dataset's. Where it has none, or
// one that Ridgeline does not read, OK and *untold says so, for the log; else that stays empty.
absl::Status CheckDatasetTokenizer(const v1::Recipe& recipe, const Dataset& dataset, std::string* untold);

}  // namespace ridgeline
