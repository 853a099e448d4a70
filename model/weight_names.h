// SPDX-License-Identifier: Apache-2.0
// Whose names a file has: the network's parameter list holds them all. No LibTorch.
#pragma once

#include "model/blueprint/parameter_shape.h"

namespace ridgeline {

enum class WeightNaming { kHuggingFace, kGguf };

inline const StoredName& StoredNameOf(const ParameterShape& parameter, WeightNaming naming) {
  return naming == WeightNaming::kGguf ? parameter.gguf : parameter.hugging_face;
}

}  // namespace ridgeline
