// SPDX-License-Identifier: Apache-2.0
// One rank's part of a checkpoint as a file.
#pragma once

#include <c10/core/Event.h>

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/checkpoint/store/manifest.h"
#include "worker/parallel/state_shards.h"

namespace ridgeline {

// Copies of shards' rows on the host, which training may change from then on. Made by the thread that trains, then used
// by one other.
class HostCopies {
 public:
  // Rows on a device are copied into pinned memory behind what its current stream has to do, and nobody waits for that.
  // Rows on the host are copied at once. Throws c10::Error where memory is short.
  explicit HostCopies(const std::vector<StateShard>& shards);

  // Waits until they are there. Throws c10::Error for what went wrong on the device.
  const std::vector<StateShard>& Wait() const;

 private:
  std::vector<StateShard> shards_;
  std::optional<c10::Event> copied_;  // Where rows came from a device: after the last.
};

// Writes `folder`/`name`, flushed to the disk, and hashes it. REQUIRES: rows are on the host. Returns a manifest of
// this file and these shards alone, which is empty without shards: then there is no file. Any thread; ABORTED between
// two pieces once `given_up`. RESOURCE_EXHAUSTED when the disk is full; what was written is then gone.
absl::StatusOr<CheckpointManifest> WriteShardFile(const std::string& folder, const std::string& name,
                                                  const std::vector<StateShard>& shards,
                                                  const std::atomic<bool>& given_up);

}  // namespace ridgeline
