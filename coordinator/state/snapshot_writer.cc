// SPDX-License-Identifier: Apache-2.0
#include "coordinator/state/snapshot_writer.h"

#include <algorithm>
#include <cstddef>
#include <set>

#include "common/failpoint.h"
#include "common/status_macros.h"
#include "coordinator/state/audit.h"

namespace ridgeline {

bool SnapshotWriter::HasWork() const {
  if (phase_ == Phase::kWaiting || failed_) return events_ >= options_.every_events;
  return true;
}

absl::Status SnapshotWriter::WriteSlice(const SqliteDatabase& db, CoordinatorState& state) {
  if (phase_ == Phase::kWaiting || failed_) events_ = 0;
  if (phase_ == Phase::kWaiting) phase_ = Phase::kCopying;
  const absl::Status status = phase_ == Phase::kCopying ? Copy(db, state) : Tidy(db);
  failed_ = !status.ok();
  if (failed_) events_ = 0;  // The next try comes as late as after a success.
  return status;
}

absl::Status SnapshotWriter::Copy(const SqliteDatabase& db, CoordinatorState& state) {
  ASSIGN_OR_RETURN(const int64_t head_generation, SnapshotGeneration(db));
  const int64_t generation = head_generation + 1;
  RETURN_IF_ERROR(db.Transaction([&]() -> absl::Status {
    RETURN_IF_ERROR(CopyRows(db, state, generation));
    Failpoint("journal.in_snapshot");
    if (!copied_all_) return absl::OkStatus();
    RETURN_IF_ERROR(PruneAudit(db, options_.max_audit_rows));
    return WriteHeadAndEntries(db, state, generation, options_.max_row_bytes);
  }));
  for (const int64_t number : copied_) state.ForgetChange(number);
  replaced_.insert(replaced_.end(), copied_.begin(), copied_.end());
  if (!copied_.empty()) last_copied_ = copied_.back();
  if (!copied_all_) return absl::OkStatus();
  snapshot_sequence_ = state.sequence();
  phase_ = Phase::kTidying;
  return absl::OkStatus();
}

// Jobs in a circle, so that one that changes all the time does not keep the others from their turn.
absl::Status SnapshotWriter::CopyRows(const SqliteDatabase& db, const CoordinatorState& state, int64_t generation) {
  copied_.clear();
  ASSIGN_OR_RETURN(int64_t points, PointsWritten(db));
  const std::set<int64_t>& changed = state.changed_jobs();
  const auto wanted_points = static_cast<int64_t>(state.points().size());
  int64_t rows = 0, bytes = 0;
  const auto has_room = [&] { return rows < options_.slice_rows && bytes < options_.slice_bytes; };
  for (auto next = changed.upper_bound(last_copied_); copied_.size() < changed.size() && has_room(); ++next, ++rows) {
    if (next == changed.end()) next = changed.begin();
    ASSIGN_OR_RETURN(const int64_t size, WriteJobRow(db, state, *next, generation, options_.max_row_bytes));
    bytes += size;
    copied_.push_back(*next);
  }
  for (; points < wanted_points && has_room(); ++rows) {
    ASSIGN_OR_RETURN(const int64_t size, WritePointRow(db, state, ++points, options_.max_row_bytes));
    bytes += size;
  }
  copied_all_ = copied_.size() == changed.size() && points >= wanted_points;
  return absl::OkStatus();
}

absl::Status SnapshotWriter::Tidy(const SqliteDatabase& db) {
  ASSIGN_OR_RETURN(const int64_t generation, SnapshotGeneration(db));
  int64_t events_left = 0;
  const size_t slice = std::min(replaced_.size(), static_cast<size_t>(options_.slice_rows));
  RETURN_IF_ERROR(db.Transaction([&]() -> absl::Status {
    ASSIGN_OR_RETURN(SqliteStatement prune,
                     db.Prepare("DELETE FROM event WHERE sequence IN"
                                " (SELECT sequence FROM event WHERE sequence <= ? ORDER BY sequence LIMIT ?)"));
    RETURN_IF_ERROR(prune.BindInt(0, snapshot_sequence_).BindInt(1, options_.slice_rows).Run());
    ASSIGN_OR_RETURN(SqliteStatement left, db.Prepare("SELECT EXISTS (SELECT 1 FROM event WHERE sequence <= ?)"));
    ASSIGN_OR_RETURN(const bool row, left.BindInt(0, snapshot_sequence_).Step());
    if (row) events_left = left.ColumnInt(0);
    return RemoveReplacedRows(db, generation);
  }));
  replaced_.resize(replaced_.size() - slice);
  if (events_left == 0 && replaced_.empty()) phase_ = Phase::kWaiting;
  return absl::OkStatus();
}

absl::Status SnapshotWriter::RemoveReplacedRows(const SqliteDatabase& db, int64_t generation) {
  ASSIGN_OR_RETURN(SqliteStatement remove, db.Prepare("DELETE FROM snapshot_job WHERE number = ? AND generation < ?"));
  const size_t slice = std::min(replaced_.size(), static_cast<size_t>(options_.slice_rows));
  for (auto number = replaced_.end() - static_cast<std::ptrdiff_t>(slice); number != replaced_.end(); ++number)
    RETURN_IF_ERROR(remove.BindInt(0, *number).BindInt(1, generation).Run());
  return absl::OkStatus();
}

}  // namespace ridgeline
