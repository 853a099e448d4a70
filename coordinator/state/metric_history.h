// SPDX-License-Identifier: Apache-2.0
// How much of a job's curves and logs is kept, and what is left out beyond: the older, the more.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/state/sqlite.h"

namespace ridgeline {

struct HistoryLimits {
  int64_t job_points = 10'000;                    // Beyond, the older half of a curve keeps every second point.
  int64_t job_lines = 50'000;                     // Beyond, the oldest lines of a log go.
  int64_t total_bytes = int64_t{4} << 30;         // Of the file; beyond, jobs that have ended keep what follows.
  int64_t ended_points = 500, ended_lines = 500;  // Points over the whole curve, and the last lines.
};

// SQL of the table that says how many lines of a log are gone.
extern const char kDroppedLinesTable[];

// Inside the caller's transaction; each returns how many rows went. Points with held-out losses stay while others can
// go, and steps that were skipped as not finite always do: they are counted.
absl::StatusOr<int64_t> ThinOlderHalf(const SqliteDatabase& db, const std::string& job_id, int64_t points);
absl::StatusOr<int64_t> ThinTo(const SqliteDatabase& db, const std::string& job_id, int64_t points, int64_t wanted);
absl::StatusOr<int64_t> DropOldestLines(const SqliteDatabase& db, const std::string& job_id, int64_t lines);

absl::StatusOr<int64_t> DroppedLines(const SqliteDatabase& db, const std::string& job_id);
// Pages that hold something.
absl::StatusOr<int64_t> UsedBytes(const SqliteDatabase& db);

}  // namespace ridgeline
