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

// The same of a model as it was loaded from `path`, which is opened again where something is wrong: it names the file
// and its own name of the tensor, of a packed weight that of the part at fault.
absl::Status CheckFiniteFiles(const LanguageModel& model, const std::string& path);

}  // namespace ridgeline
