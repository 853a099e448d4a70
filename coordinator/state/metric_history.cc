// SPDX-License-Identifier: Apache-2.0
#include "coordinator/state/metric_history.h"

#include <algorithm>

#include "common/status_macros.h"

namespace ridgeline {
namespace {

absl::StatusOr<int64_t> ReadNumber(SqliteStatement& select) {
  ASSIGN_OR_RETURN(const bool row, select.Step());
  return row ? select.ColumnInt(0) : 0;
}

absl::StatusOr<int64_t> CountPoints(const SqliteDatabase& db, const std::string& job_id) {
  ASSIGN_OR_RETURN(SqliteStatement count, db.Prepare("SELECT count(*) FROM metric WHERE job_id = ?"));
  return ReadNumber(count.BindText(0, job_id));
}

// Of the first `first` points, in order of steps, all go but each `every`th; never the last, nor the last with a
// held-out loss.
absl::Status KeepEach(const SqliteDatabase& db, const std::string& job_id, int64_t first, int64_t every,
                      bool also_validated) {
  ASSIGN_OR_RETURN(SqliteStatement thin,
                   db.Prepare("DELETE FROM metric WHERE job_id = ?1 AND step IN (SELECT step FROM"
                              " (SELECT step, row_number() OVER (ORDER BY step) AS number FROM metric"
                              " WHERE job_id = ?1 AND NOT nonfinite AND (?4 OR NOT validated) ORDER BY step LIMIT ?2)"
                              " WHERE number % ?3 != 0)"
                              " AND step NOT IN (SELECT max(step) FROM metric WHERE job_id = ?1 GROUP BY validated)"));
  return thin.BindText(0, job_id).BindInt(1, first).BindInt(2, every).BindInt(3, also_validated).Run();
}

absl::StatusOr<int64_t> Thin(const SqliteDatabase& db, const std::string& job_id, int64_t points, int64_t first,
                             int64_t every, int64_t wanted) {
  RETURN_IF_ERROR(KeepEach(db, job_id, first, every, /*also_validated=*/false));
  ASSIGN_OR_RETURN(int64_t left, CountPoints(db, job_id));
  if (left > wanted) {
    RETURN_IF_ERROR(KeepEach(db, job_id, first, every, /*also_validated=*/true));
    ASSIGN_OR_RETURN(left, CountPoints(db, job_id));
  }
  return points - left;
}

}  // namespace

const char kDroppedLinesTable[] =
    "CREATE TABLE dropped_lines (job_id TEXT PRIMARY KEY, lines INTEGER NOT NULL) WITHOUT ROWID;";

absl::StatusOr<int64_t> ThinOlderHalf(const SqliteDatabase& db, const std::string& job_id, int64_t points) {
  return Thin(db, job_id, points, points / 2, 2, points - 1);
}

absl::StatusOr<int64_t> ThinTo(const SqliteDatabase& db, const std::string& job_id, int64_t points, int64_t wanted) {
  if (points <= wanted) return 0;
  return Thin(db, job_id, points, points, (points + wanted - 1) / std::max<int64_t>(wanted, 1), wanted);
}

absl::StatusOr<int64_t> DropOldestLines(const SqliteDatabase& db, const std::string& job_id, int64_t lines) {
  if (lines <= 0) return 0;
  ASSIGN_OR_RETURN(
      SqliteStatement drop,
      db.Prepare("DELETE FROM log WHERE (job_id, epoch, sequence, line) IN (SELECT job_id, epoch, sequence,"
                 " line FROM log WHERE job_id = ? ORDER BY epoch, sequence, line LIMIT ?)"));
  RETURN_IF_ERROR(drop.BindText(0, job_id).BindInt(1, lines).Run());
  ASSIGN_OR_RETURN(SqliteStatement note, db.Prepare("INSERT INTO dropped_lines VALUES (?1, ?2) ON CONFLICT (job_id)"
                                                    " DO UPDATE SET lines = lines + ?2"));
  RETURN_IF_ERROR(note.BindText(0, job_id).BindInt(1, lines).Run());
  return lines;
}

absl::StatusOr<int64_t> DroppedLines(const SqliteDatabase& db, const std::string& job_id) {
  ASSIGN_OR_RETURN(SqliteStatement select, db.Prepare("SELECT lines FROM dropped_lines WHERE job_id = ?"));
  return ReadNumber(select.BindText(0, job_id));
}

absl::StatusOr<int64_t> UsedBytes(const SqliteDatabase& db) {
  int64_t pages[3] = {};
  const char* const queries[] = {"PRAGMA page_count", "PRAGMA freelist_count", "PRAGMA page_size"};
  for (int i = 0; i < 3; ++i) {
    ASSIGN_OR_RETURN(SqliteStatement select, db.Prepare(queries[i]));
    ASSIGN_OR_RETURN(pages[i], ReadNumber(select));
  }
  return (pages[0] - pages[1]) * pages[2];
}

}  // namespace ridgeline
