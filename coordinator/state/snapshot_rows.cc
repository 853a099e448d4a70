// SPDX-License-Identifier: Apache-2.0
#include "coordinator/state/snapshot_rows.h"

#include <fmt/format.h>

#include <utility>

#include "common/status_macros.h"

namespace ridgeline {
namespace {

template <typename Message>
absl::Status ParseRow(const SqliteDatabase& db, const std::string& body, const std::string& what, Message* message) {
  if (message->ParseFromString(body)) return absl::OkStatus();
  return absl::DataLossError(
      fmt::format("{}: {} of the snapshot cannot be read; restore the file from a copy", db.path(), what));
}

absl::StatusOr<int64_t> ReadInt(const SqliteDatabase& db, const std::string& sql) {
  ASSIGN_OR_RETURN(SqliteStatement select, db.Prepare(sql));
  ASSIGN_OR_RETURN(const bool row, select.Step());
  return row ? select.ColumnInt(0) : 0;
}

absl::Status CheckCount(const SqliteDatabase& db, const std::string& table, int64_t wanted) {
  ASSIGN_OR_RETURN(const int64_t found, ReadInt(db, "SELECT count(*) FROM " + table));
  if (found == wanted) return absl::OkStatus();
  return absl::DataLossError(fmt::format("{}: {} has {} rows where the snapshot has {}; restore the file from a copy",
                                         db.path(), table, found, wanted));
}

absl::Status WriteJobs(const SqliteDatabase& db, const CoordinatorState& state, int64_t max_row_bytes) {
  ASSIGN_OR_RETURN(SqliteStatement replace, db.Prepare("INSERT OR REPLACE INTO snapshot_job VALUES (?, ?)"));
  for (const int64_t number : state.changed_jobs()) {
    absl::StatusOr<std::string> body = RowOf(state.jobs().at(number), max_row_bytes);
    if (!body.ok()) {
      return absl::Status(body.status().code(),
                          fmt::format("{}: {}", JobId(number), std::string(body.status().message())));
    }
    RETURN_IF_ERROR(replace.BindInt(0, number).BindBlob(1, *body).Run());
  }
  return absl::OkStatus();
}

// Points are never changed.
absl::Status WritePoints(const SqliteDatabase& db, const CoordinatorState& state, int64_t max_row_bytes) {
  ASSIGN_OR_RETURN(const int64_t written, ReadInt(db, "SELECT count(*) FROM snapshot_point"));
  ASSIGN_OR_RETURN(SqliteStatement insert, db.Prepare("INSERT INTO snapshot_point VALUES (?, ?)"));
  for (size_t i = static_cast<size_t>(written); i < state.points().size(); ++i) {
    ASSIGN_OR_RETURN(const std::string body, RowOf(state.points()[i], max_row_bytes));
    RETURN_IF_ERROR(insert.BindInt(0, static_cast<int64_t>(i) + 1).BindBlob(1, body).Run());
  }
  return absl::OkStatus();
}

template <typename Add>
absl::Status ReadRows(const SqliteDatabase& db, const std::string& table, Add add) {
  ASSIGN_OR_RETURN(SqliteStatement select, db.Prepare("SELECT number, body FROM " + table + " ORDER BY number"));
  while (true) {
    ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return absl::OkStatus();
    RETURN_IF_ERROR(ParseRow(db, select.ColumnBlob(1), fmt::format("{} {}", table, select.ColumnInt(0)), add()));
  }
}

absl::Status WriteHead(const SqliteDatabase& db, const CoordinatorState& state, int64_t jobs, int64_t points) {
  ASSIGN_OR_RETURN(SqliteStatement head, db.Prepare("INSERT OR REPLACE INTO snapshot VALUES (1, ?, ?, ?, ?)"));
  head.BindInt(0, state.sequence()).BindInt(1, state.next_job_number()).BindInt(2, jobs).BindInt(3, points);
  return head.Run();
}

absl::Status WriteJobsAndPoints(const SqliteDatabase& db, const CoordinatorState& state, int64_t max_row_bytes) {
  RETURN_IF_ERROR(WriteJobs(db, state, max_row_bytes));
  RETURN_IF_ERROR(WritePoints(db, state, max_row_bytes));
  const auto jobs = static_cast<int64_t>(state.jobs().size());
  const auto points = static_cast<int64_t>(state.points().size());
  RETURN_IF_ERROR(WriteHead(db, state, jobs, points));
  RETURN_IF_ERROR(CheckCount(db, "snapshot_job", jobs));
  return CheckCount(db, "snapshot_point", points);
}

// What there is few of is written anew each time.
constexpr char kQueueKind[] = "queue";
constexpr char kDrainingKind[] = "draining_group";

absl::Status WriteEntry(SqliteStatement& insert, std::string_view kind, const std::string& name,
                        const std::string& body) {
  return insert.BindText(0, kind).BindText(1, name).BindBlob(2, body).Run();
}

absl::Status WriteEntries(const SqliteDatabase& db, const CoordinatorState& state, int64_t max_row_bytes) {
  ASSIGN_OR_RETURN(SqliteStatement clear, db.Prepare("DELETE FROM entry WHERE kind IN (?, ?)"));
  RETURN_IF_ERROR(clear.BindText(0, kQueueKind).BindText(1, kDrainingKind).Run());
  ASSIGN_OR_RETURN(SqliteStatement insert, db.Prepare("INSERT INTO entry VALUES (?, ?, ?)"));
  for (const auto& [name, queue] : state.queues()) {
    ASSIGN_OR_RETURN(const std::string body, RowOf(queue, max_row_bytes));
    RETURN_IF_ERROR(WriteEntry(insert, kQueueKind, name, body));
  }
  for (const std::string& group_id : state.draining_groups())
    RETURN_IF_ERROR(WriteEntry(insert, kDrainingKind, group_id, ""));
  return absl::OkStatus();
}

absl::Status ReadEntries(const SqliteDatabase& db, v1::Snapshot* snapshot) {
  ASSIGN_OR_RETURN(SqliteStatement select, db.Prepare("SELECT kind, name, body FROM entry ORDER BY kind, name"));
  while (true) {
    ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return absl::OkStatus();
    const std::string kind = select.ColumnBlob(0), name = select.ColumnBlob(1);
    if (kind == kQueueKind)
      RETURN_IF_ERROR(ParseRow(db, select.ColumnBlob(2), fmt::format("queue '{}'", name), snapshot->add_queues()));
    if (kind == kDrainingKind) snapshot->add_draining_groups(name);
  }
}

}  // namespace

const char kEntryTable[] =
    "CREATE TABLE entry (kind TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (kind, name))"
    " WITHOUT ROWID;";

const char kSnapshotTables[] =
    "CREATE TABLE snapshot (id INTEGER PRIMARY KEY CHECK (id = 1), sequence INTEGER NOT NULL,"
    " next_job_number INTEGER NOT NULL, jobs INTEGER NOT NULL, points INTEGER NOT NULL);"
    "CREATE TABLE snapshot_job (number INTEGER PRIMARY KEY, body BLOB NOT NULL);"
    "CREATE TABLE snapshot_point (number INTEGER PRIMARY KEY, body BLOB NOT NULL);";

absl::StatusOr<std::string> RowOf(const google::protobuf::Message& message, int64_t max_bytes) {
  const auto size_bytes = static_cast<int64_t>(message.ByteSizeLong());
  std::string body;
  if (size_bytes <= max_bytes && message.SerializeToString(&body)) return body;
  return absl::ResourceExhaustedError(
      fmt::format("a record of {} bytes cannot be stored; {} is the limit", size_bytes, max_bytes));
}

absl::Status WriteSnapshotRows(const SqliteDatabase& db, const CoordinatorState& state, int64_t max_row_bytes) {
  RETURN_IF_ERROR(WriteJobsAndPoints(db, state, max_row_bytes));
  return WriteEntries(db, state, max_row_bytes);
}

absl::StatusOr<CoordinatorState> ReadSnapshotRows(const SqliteDatabase& db) {
  ASSIGN_OR_RETURN(SqliteStatement head,
                   db.Prepare("SELECT sequence, next_job_number, jobs, points FROM snapshot WHERE id = 1"));
  ASSIGN_OR_RETURN(const bool written, head.Step());
  if (!written) return CoordinatorState();
  v1::Snapshot snapshot;
  snapshot.set_sequence(head.ColumnInt(0));
  snapshot.set_next_job_number(head.ColumnInt(1));
  RETURN_IF_ERROR(CheckCount(db, "snapshot_job", head.ColumnInt(2)));
  RETURN_IF_ERROR(CheckCount(db, "snapshot_point", head.ColumnInt(3)));
  RETURN_IF_ERROR(ReadRows(db, "snapshot_job", [&] { return snapshot.add_jobs(); }));
  RETURN_IF_ERROR(ReadRows(db, "snapshot_point", [&] { return snapshot.add_points(); }));
  RETURN_IF_ERROR(ReadEntries(db, &snapshot));
  ASSIGN_OR_RETURN(CoordinatorState state, CoordinatorState::FromSnapshot(std::move(snapshot)));
  state.ForgetChanges();
  return state;
}

absl::Status SnapshotToRows(const SqliteDatabase& db) {
  v1::Snapshot snapshot;
  bool written = false;
  {
    ASSIGN_OR_RETURN(SqliteStatement select, db.Prepare("SELECT body FROM snapshot WHERE id = 1"));
    ASSIGN_OR_RETURN(written, select.Step());
    if (written) RETURN_IF_ERROR(ParseRow(db, select.ColumnBlob(0), "the one row", &snapshot));
  }
  RETURN_IF_ERROR(db.Execute("DROP TABLE snapshot"));
  RETURN_IF_ERROR(db.Execute(kSnapshotTables));
  if (!written) return absl::OkStatus();
  ASSIGN_OR_RETURN(const CoordinatorState state, CoordinatorState::FromSnapshot(std::move(snapshot)));
  return WriteJobsAndPoints(db, state, kMaxRowBytes);
}

}  // namespace ridgeline
