// SPDX-License-Identifier: Apache-2.0
// manifest.json of a checkpoint: whose it is, its files with their hashes, and which rows of which tensor each holds
// (docs/formats.md#checkpoints).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "weights/dtype.h"

namespace ridgeline {

inline constexpr char kManifestFile[] = "manifest.json";

struct CheckpointFile {
  std::string name;  // Beside the manifest; no path.
  int64_t bytes = 0;
  std::string sha256;
};

// Rows begin_row .. begin_row + rows - 1 of a tensor, as a tensor of the same name in one of the files.
struct CheckpointShard {
  size_t file = 0;  // Its place among the manifest's.
  int64_t begin_row = 0;
  int64_t rows = 0;
};

struct CheckpointTensor {
  Dtype dtype = Dtype::kF32;
  std::vector<int64_t> shape;           // Of the whole tensor; empty for a scalar, which counts as one row.
  std::vector<CheckpointShard> shards;  // In order of rows.

  int64_t rows() const { return shape.empty() ? 1 : shape[0]; }
  // That of a shard, as its file has it.
  std::vector<int64_t> ShapeOf(const CheckpointShard& shard) const;
};

struct CheckpointManifest {
  int64_t step = 0;  // Optimizer steps that are done.
  std::string job_id;
  std::string recipe_sha256;  // A checkpoint of another recipe is refused.
  int64_t skipped_steps = 0;  // Of them, those whose loss or gradient was not finite.
  int64_t skipped_in_a_row = 0;
  std::optional<double> validation_loss;  // Held-out loss at that step, where it was measured.
  int ranks = 0;                          // That wrote it.
  std::string version;                    // Of the program.
  std::vector<CheckpointFile> files;
  std::map<std::string, CheckpointTensor> tensors;  // Empty in format 1, whose one file holds whole tensors.

  int64_t FileBytes() const;  // Of all files.
};

// With a line for each file and tensor.
std::string FormatManifest(const CheckpointManifest& manifest);

// DATA_LOSS, without the folder's name, says what is wrong: no such JSON, an unknown format, a file's name that leads
// elsewhere, a tensor whose shards lack a row, hold one twice, or name a file that is not there. Safe on any input.
absl::StatusOr<CheckpointManifest> ParseManifest(std::string_view text);

// The same from a checkpoint's folder, which errors name. NOT_FOUND if there is none.
absl::StatusOr<CheckpointManifest> ReadManifest(const std::string& folder);

// One manifest of those that ranks wrote for their own files alone (FormatManifest), in order; all but files and
// tensors is that of the first. DATA_LOSS where they are not all of the checkpoint together.
absl::StatusOr<CheckpointManifest> MergeManifests(const std::vector<std::string>& parts);

}  // namespace ridgeline
