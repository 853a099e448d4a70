// SPDX-License-Identifier: Apache-2.0
// The journal's snapshot as rows, one for each job, point and queue: no row comes near the limit of 2 GiB that a
// message has, and only what changed is written again.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/state/coordinator_state.h"
#include "coordinator/state/sqlite.h"

namespace ridgeline {

// SQL of the tables: of jobs and points, and one for all that there is few of (queues, groups that drain), a row each.
extern const char kSnapshotTables[];
extern const char kEntryTable[];

// What SQLite takes as one value.
inline constexpr int64_t kMaxRowBytes = 1'000'000'000;

// RESOURCE_EXHAUSTED if the message is larger than `max_bytes`.
absl::StatusOr<std::string> RowOf(const google::protobuf::Message& message, int64_t max_bytes);

// Brings the rows up to the state: the jobs that it says have changed, the points that are new, and all entries. Inside
// the caller's transaction. OK means that the rows are the whole state; on an error the caller rolls back.
absl::Status WriteSnapshotRows(const SqliteDatabase& db, const CoordinatorState& state, int64_t max_row_bytes);

// The state at the snapshot; an empty one where none was written yet. DATA_LOSS if rows are missing or unreadable.
absl::StatusOr<CoordinatorState> ReadSnapshotRows(const SqliteDatabase& db);

// From schema version 1, where the snapshot was one message in one row, to version 2.
absl::Status SnapshotToRows(const SqliteDatabase& db);

}  // namespace ridgeline
