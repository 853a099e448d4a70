// SPDX-License-Identifier: Apache-2.0
// What a worker group may send: lengths, characters and ranges. Pure functions; errors say what would be right.
#pragma once

#include <google/protobuf/repeated_ptr_field.h>

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "ridgeline/v1/worker.pb.h"

namespace ridgeline {

inline constexpr int kMaxGroupRanks = 65'536;                 // As resources.ranks has it.
inline constexpr int64_t kMaxMemoryBytes = int64_t{1} << 60;  // An exbibyte.
inline constexpr size_t kMaxDetailBytes = 4'096, kMaxLogTextBytes = 16'384;

// What ranks count by: the names of comm/, which tests/shard/collective_names_test.cc holds them to.
inline constexpr std::array<const char*, 7> kCollectiveOperations = {
    "all_reduce", "reduce_scatter", "all_gather", "all_to_all", "broadcast", "gather", "barrier"};

// INVALID_ARGUMENT if the group's names, ranks or devices are none that a group can have.
absl::Status CheckHello(const v1::Hello& hello);

// Folder of a checkpoint, from the work folder: "jobs/job-3/checkpoints/step-00000040".
std::string CheckpointPath(const std::string& job_id, int64_t step);

// INVALID_ARGUMENT unless the checkpoint lies at its own place, at a step that the job has.
absl::Status CheckCheckpoint(const v1::Checkpoint& checkpoint, const std::string& job_id, int64_t steps);

// INVALID_ARGUMENT unless each operation is one of kCollectiveOperations, is there once, and has counts that ranks can
// have: at least 0, and finite.
absl::Status CheckCollectives(const google::protobuf::RepeatedPtrField<v1::CollectiveCount>& counts);

// INVALID_ARGUMENT if the step is none of the job's. Numbers out of their range are taken out of the point.
absl::Status TidyMetricPoint(int64_t steps, v1::MetricPoint* point);

// INVALID_ARGUMENT if the rank is none of the group's. Level and text become such that they may be shown.
absl::Status TidyLogLine(int ranks, v1::LogLine* line);

// INVALID_ARGUMENT unless the point has a held-out loss, and all its numbers are finite and in range.
absl::Status CheckFrontierPoint(const v1::FrontierPoint& point);

}  // namespace ridgeline
