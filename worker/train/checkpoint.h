// SPDX-License-Identifier: Apache-2.0
// Checkpoints on disk: a folder step-00000100/ with state.safetensors and manifest.json (size and hash of each file).
// The folder gets its name only when everything in it is flushed: without a manifest it does not exist.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/safetensors.h"
#include "ridgeline/v1/job.pb.h"
#include "worker/train/nonfinite.h"

namespace ridgeline {

struct CheckpointState {
  int64_t step = 0;   // Optimizer steps that are done.
  int64_t epoch = 0;  // Of the attempt that writes; two never write into one unfinished folder.
  std::string job_id;
  std::string recipe_sha256;  // A checkpoint of another recipe is refused.
  SkippedSteps skipped;
  SafetensorsFile tensors;
};

// Writes `root`/step-NNNNNNNN in one step of the file system; an older folder of that name is replaced.
// RESOURCE_EXHAUSTED when the disk is full: nothing is listed that was not there before.
absl::StatusOr<v1::Checkpoint> WriteCheckpoint(const std::string& root, const CheckpointState& state);

// What manifest.json says of a checkpoint.
struct CheckpointManifest {
  int64_t step = 0;
  std::string job_id;
  std::string recipe_sha256;
  SkippedSteps skipped;
  std::string state_sha256;  // Of state.safetensors.
};

// Does not look at the state. DATA_LOSS for a manifest that is damaged or has an unknown format.
absl::StatusOr<CheckpointManifest> ReadManifest(const std::string& folder);

// Reads one folder; DATA_LOSS for anything that does not match its manifest. With `verified`, FindNewestCheckpoint has
// just found it whole in this process: the state is not hashed once more.
absl::StatusOr<CheckpointState> ReadCheckpoint(const std::string& folder, bool verified = false);

// The newest checkpoint under a folder that is whole and belongs to a job and recipe. Tells by manifests whose they
// are, and hashes the state of the newest one that fits, of older ones only where that is damaged.
struct FoundCheckpoint {
  std::string folder;                    // Empty if there is none.
  std::vector<std::string> passed_over;  // Newer ones: each with its folder and what is wrong with it.
};

FoundCheckpoint FindNewestCheckpoint(const std::string& root, const std::string& job_id,
                                     const std::string& recipe_sha256);

// What people are told about the checkpoint in `folder`. REQUIRES: it was read before.
absl::StatusOr<v1::Checkpoint> DescribeCheckpoint(const std::string& folder, int64_t step);

// Keeps the newest `keep`, removes the others and what broken writes of attempts before `epoch` left.
absl::Status RemoveOldCheckpoints(const std::string& root, int keep, int64_t epoch);

}  // namespace ridgeline
