// SPDX-License-Identifier: Apache-2.0
// Whether a model's weights are numbers: one NaN among them makes every prediction NaN.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "model/language_model.h"

namespace ridgeline {

// DATA_LOSS that begins with "NONFINITE: " and `where` (the file or folder that the masters came from) if a master
// holds a NaN or an infinity: it names the first such tensor, counts its numbers, and says what to do. Reads every
// master once.
absl::Status CheckFiniteWeights(const LanguageModel& model, const std::string& where);

}  // namespace ridgeline
