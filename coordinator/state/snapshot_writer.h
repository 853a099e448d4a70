// SPDX-License-Identifier: Apache-2.0
// Writes the journal's snapshot beside its commits: in slices, each a short transaction of its own, so that a commit
// waits for one slice at most and never for all jobs.
//
// Rows of jobs go beside those that they will replace, for a generation that the head does not name yet. A job that
// changes meanwhile is written again. When little enough is left, the last slice writes that and the head: now all rows
// are the state at one event. Then the events before it are removed, and the rows that were replaced, in slices, too. A
// crash or a full disk in between costs nothing: what was written and has not changed counts for the next snapshot.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "coordinator/state/coordinator_state.h"
#include "coordinator/state/snapshot_rows.h"
#include "coordinator/state/sqlite.h"

namespace ridgeline {

// Not thread-safe; the journal's writer has it.
class SnapshotWriter {
 public:
  struct Options {
    int64_t every_events = 1000;
    int64_t slice_rows = 256;
    int64_t slice_bytes = 4 << 20;  // A slice ends with the row that goes beyond it.
    int64_t max_row_bytes = kMaxRowBytes;
    int64_t max_audit_rows = 100'000;  // Older ones go as the head is written.
  };
  explicit SnapshotWriter(const Options& options) : options_(options) {}

  // Events that became durable, or were replayed.
  void AddEvents(int64_t count) { events_ += count; }
  // Whether a slice is to be written: a snapshot is due or under way.
  bool HasWork() const;
  // `state`: all durable events, and no others; what it says has changed is forgotten as it is written. An error means
  // that the slice was not written, and that the next try comes when as many events have come as for a snapshot.
  absl::Status WriteSlice(const SqliteDatabase& db, CoordinatorState& state);

 private:
  enum class Phase { kWaiting, kCopying, kTidying };
  absl::Status Copy(const SqliteDatabase& db, CoordinatorState& state);
  absl::Status CopyRows(const SqliteDatabase& db, const CoordinatorState& state, int64_t generation);
  absl::Status Tidy(const SqliteDatabase& db);
  absl::Status RemoveReplacedRows(const SqliteDatabase& db, int64_t generation);

  const Options options_;
  Phase phase_ = Phase::kWaiting;
  bool failed_ = false;
  int64_t events_ = 0;  // Since the last snapshot began.

  // Of the slice that is being written.
  std::vector<int64_t> copied_;
  bool copied_all_ = false;

  int64_t last_copied_ = 0;        // Number of a job; the next slice goes on behind it.
  std::vector<int64_t> replaced_;  // Jobs that may have rows of an older generation.
  int64_t snapshot_sequence_ = 0;  // Of the head; events up to it are to be removed.
};

}  // namespace ridgeline
