// SPDX-License-Identifier: Apache-2.0
// What a worker group has said and nobody has acknowledged, as a file: records that end an attempt or commit a
// checkpoint outlive the group's processes, and are handed in when it is started again (docs/formats.md#spools).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "ridgeline/v1/worker.pb.h"

namespace ridgeline {

inline constexpr size_t kMaxSpoolRecords = 256;
inline constexpr size_t kMaxSpoolBytes = size_t{8} << 20;

struct Spool {
  std::string group_id;
  std::string incarnation;  // Of the start of the group that has said it: the one from which the records count.
  // CheckpointCommitted, AttemptResult, and MetricBatch where a result is of no use without; their sequences rising.
  std::vector<v1::WorkerMessage> records;
};

// Where the spool of a group lies in a work folder. Whatever the group's name is made of, it stays in there, and groups
// with different names have different places.
std::string SpoolPath(const std::string& work_dir, const std::string& group_id);

// Of more than kMaxSpoolRecords or kMaxSpoolBytes the oldest that are no results are left out, then the oldest results:
// a later attempt finds a checkpoint on disk, too.
std::string FormatSpool(const Spool& spool);

// DATA_LOSS for what FormatSpool did not write.
absl::StatusOr<Spool> ParseSpool(std::string_view bytes);

// Nothing if there is no file. DATA_LOSS for one that is damaged or another group's; other errors of reading.
absl::StatusOr<std::optional<Spool>> ReadSpool(const std::string& path, const std::string& group_id);

}  // namespace ridgeline
