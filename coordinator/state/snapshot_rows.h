// SPDX-License-Identifier: Apache-2.0
// The journal's snapshot as rows, one for each job, point and queue: no row comes near the limit of 2 GiB that a
// message has, and only what changed is written again. A job's rows carry the generation of the snapshot that they were
// written for; those beyond the head's generation are of a snapshot that is not done, and nobody reads them.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/state/coordinator_state.h"
#include "coordinator/state/sqlite.h"

namespace ridgeline {

// SQL of the tables: of jobs and points, and one for all that there is few of (queues, tokens, groups that drain), a
// row each.
extern const char kSnapshotTables[];
extern const char kEntryTable[];

// What SQLite takes as one value.
inline constexpr int64_t kMaxRowBytes = 1'000'000'000;

// RESOURCE_EXHAUSTED if the message is larger than `max_bytes`.
absl::StatusOr<std::string> RowOf(const google::protobuf::Message& message, int64_t max_bytes);

// Of the snapshot that the head names; 0 where none was written yet.
absl::StatusOr<int64_t> SnapshotGeneration(const SqliteDatabase& db);
// How many points have rows, from the first on; they are never changed.
absl::StatusOr<int64_t> PointsWritten(const SqliteDatabase& db);

// The row of one job, or point (numbered from 1), as the state has it. All inside the caller's transaction; they return
// the row's size in bytes.
absl::StatusOr<int64_t> WriteJobRow(const SqliteDatabase& db, const CoordinatorState& state, int64_t number,
                                    int64_t generation, int64_t max_row_bytes);
absl::StatusOr<int64_t> WritePointRow(const SqliteDatabase& db, const CoordinatorState& state, int64_t number,
                                      int64_t max_row_bytes);
// Makes what is in the rows up to `generation` the snapshot. REQUIRES: those of all jobs and points are as in the
// state.
absl::Status WriteHeadAndEntries(const SqliteDatabase& db, const CoordinatorState& state, int64_t generation,
                                 int64_t max_row_bytes);
// Rows that a newer one replaces, and those of a snapshot that was not done. Cost: looks at all of them.
absl::Status RemoveUnreadJobRows(const SqliteDatabase& db);

// The state at the snapshot; an empty one where none was written yet. DATA_LOSS if rows are missing or unreadable.
absl::StatusOr<CoordinatorState> ReadSnapshotRows(const SqliteDatabase& db);

// From schema version 1, where the snapshot was one message in one row, to version 2.
absl::Status SnapshotToRows(const SqliteDatabase& db);
// From version 3, where a job had one row, to version 4.
absl::Status GiveRowsAGeneration(const SqliteDatabase& db);

}  // namespace ridgeline
