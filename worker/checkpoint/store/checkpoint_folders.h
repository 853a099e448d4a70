// SPDX-License-Identifier: Apache-2.0
// Checkpoints on disk: folders step-00000100/ with a file of each rank that wrote it and manifest.json. While ranks
// write, the folder is called step-00000100.unfinished.EPOCH; it gets its name only when everything in it is flushed:
// without a manifest it does not exist.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ridgeline/v1/job.pb.h"
#include "worker/checkpoint/store/manifest.h"

namespace ridgeline {

// jobs/JOB/checkpoints, in a work folder.
std::string CheckpointsOf(const std::string& job_id);

// Where ranks write. `epoch` is that of their attempt: two never write into one.
std::string UnfinishedCheckpoint(const std::string& root, int64_t step, int64_t epoch);
// state-00000-of-00002.safetensors
std::string CheckpointFileName(int rank, int ranks);

// Writes the manifest of what lies in the unfinished folder, whose files must have the manifest's sizes, and gives the
// folder its name; an older one of that name is there until that moment, and removed after it. FAILED_PRECONDITION for
// a file that is not seen here: all ranks need the same work folder. RESOURCE_EXHAUSTED when the disk is full: nothing
// is listed that was not there before, and nothing is left.
absl::StatusOr<v1::Checkpoint> CommitCheckpoint(const std::string& root, int64_t epoch,
                                                const CheckpointManifest& manifest);
// What became of a write that is given up. Nothing happens where there is none.
absl::Status RemoveUnfinishedCheckpoint(const std::string& root, int64_t step, int64_t epoch);

// Holds every file to its size and hash: DATA_LOSS names the one that differs.
absl::Status VerifyCheckpoint(const std::string& folder, const CheckpointManifest& manifest);

// ReadManifest, of a folder that has its name: DATA_LOSS where the manifest is that of another step.
absl::StatusOr<CheckpointManifest> ReadManifestOf(const std::string& folder);

// What people are told about a checkpoint: its path is `folder`, its time that of the manifest.
absl::StatusOr<v1::Checkpoint> DescribeCheckpoint(const std::string& folder);

// Those that have their names, newest first; empty where there is no such folder.
std::vector<std::string> CheckpointFolders(const std::string& root);

// The newest checkpoint under a folder that is whole and belongs to a job and recipe. Tells by manifests whose they
// are, and hashes the files of the newest one that fits, of older ones only where that is damaged.
struct FoundCheckpoint {
  std::string folder;                    // Empty if there is none.
  std::vector<std::string> passed_over;  // Newer ones: each with its folder and what is wrong with it.
};
FoundCheckpoint FindNewestCheckpoint(const std::string& root, const std::string& job_id,
                                     const std::string& recipe_sha256);

// Which checkpoints stay: the newest, and beside them those with the lowest held-out loss.
struct KeepPolicy {
  int latest = 1;
  int best = 0;
};

struct RemovableCheckpoint {
  std::string folder;
  std::string why;
};

// What the policy does not keep, what broken writes of attempts before `epoch` left and, unless `others_remove` right
// now, broken removals. Folders that neither writes nor removals leave are none of it.
std::vector<RemovableCheckpoint> RemovableCheckpoints(const std::string& root, const KeepPolicy& policy, int64_t epoch,
                                                      bool others_remove = false);
// Fine where another process removes them, too.
absl::Status RemoveCheckpoints(const std::vector<RemovableCheckpoint>& removable);

}  // namespace ridgeline
