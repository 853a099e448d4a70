// SPDX-License-Identifier: Apache-2.0
// One rank's part of a checkpoint as a file.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/checkpoint/store/manifest.h"
#include "worker/parallel/state_shards.h"

namespace ridgeline {

// Copies of the shards' rows, which training may change meanwhile.
std::vector<StateShard> CopiesOf(const std::vector<StateShard>& shards);

// Writes `folder`/`name`, flushed to the disk, and hashes it. Returns a manifest of this file and these
// shards alone, which is empty without shards: then there is no file. Any thread; ABORTED between two pieces once
// `given_up`. RESOURCE_EXHAUSTED when the disk is full; what was written is then gone.
absl::StatusOr<CheckpointManifest> WriteShardFile(const std::string& folder, const std::string& name,
                                                  const std::vector<StateShard>& shards,
                                                  const std::atomic<bool>& given_up);

}  // namespace ridgeline
