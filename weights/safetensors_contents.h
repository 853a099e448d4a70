// SPDX-License-Identifier: Apache-2.0
// One safetensors file's tensors, before they become a WeightFile alone or with other shards. For this room only.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "weights/weight_file.h"

namespace ridgeline {

// As ParseSafetensors; `mappings` is empty.
absl::StatusOr<WeightFile::Contents> ParseSafetensorsContents(std::string_view bytes, const std::string& name);

// Which shard holds which tensor, as an index says it. DATA_LOSS names what is wrong: no such JSON, a shard that is not
// the name of a file beside the index. Safe on any input.
using ShardOfTensor = std::map<std::string, std::string>;
absl::StatusOr<ShardOfTensor> ParseShardIndex(std::string_view text, const std::string& name);

}  // namespace ridgeline
