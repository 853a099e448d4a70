// SPDX-License-Identifier: Apache-2.0
// One safetensors file's tensors, before they become a WeightFile alone or with other shards. For this room only.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "weights/weight_file.h"

namespace ridgeline {

// As ParseSafetensors; `mappings` is empty.
absl::StatusOr<WeightFile::Contents> ParseSafetensorsContents(std::string_view bytes, const std::string& name);

}  // namespace ridgeline
