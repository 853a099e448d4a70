// SPDX-License-Identifier: Apache-2.0
// A checkpoint on disk as a strategy reads it: the files are mapped, and only the rows that are asked for are read.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "weights/weight_file.h"
#include "worker/checkpoint/store/manifest.h"
#include "worker/parallel/state_shards.h"

namespace ridgeline {

// Whatever number of ranks wrote it. Used by one thread; files are opened when the first row of them is asked for.
class CheckpointSource : public StateSource {
 public:
  // Of the formats 1 and 2. Holds files to their headers and not to their hashes: VerifyCheckpoint does that. DATA_LOSS
  // names folder and file.
  static absl::StatusOr<std::unique_ptr<CheckpointSource>> Open(const std::string& folder);

  const CheckpointManifest& manifest() const { return manifest_; }
  // A tensor of its own. DATA_LOSS also for a file that does not hold what the manifest says.
  absl::StatusOr<at::Tensor> Rows(const std::string& name, const std::vector<int64_t>& sizes, int64_t begin_row,
                                  int64_t row_count) override;

 private:
  CheckpointSource(std::string folder, CheckpointManifest manifest);

  absl::Status ListWholeTensors();
  absl::StatusOr<const WeightFile*> FileAt(size_t index);
  absl::StatusOr<const TensorView*> ViewOf(const std::string& name, const CheckpointTensor& tensor,
                                           const CheckpointShard& shard);

  const std::string folder_;
  CheckpointManifest manifest_;
  std::vector<std::unique_ptr<WeightFile>> files_;  // As the manifest's; null while not opened.
};

}  // namespace ridgeline
