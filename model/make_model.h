// SPDX-License-Identifier: Apache-2.0
// A network of either family from its shape.
#pragma once

#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "model/blueprint/model_config.h"
#include "model/language_model.h"

namespace ridgeline {

// Random weights from `seed` alone; without one they are not set, for a caller who has them. INVALID_ARGUMENT if the
// sizes do not fit each other or the quantizers.
absl::StatusOr<std::unique_ptr<LanguageModel>> MakeModel(const ModelConfig& config, const ModelOptions& options,
                                                         std::optional<int64_t> seed);

}  // namespace ridgeline
