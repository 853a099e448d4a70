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

absl::Status CheckCount(const SqliteDatabase& db, const std::string& table, int64_t found, size_t wanted) {
  if (found == static_cast<int64_t>(wanted)) return absl::OkStatus();
  return absl::DataLossError(fmt::format("{}: {} has {} rows where the snapshot has {}; restore the file from a copy",
                                         db.path(), table, found, wanted));
}

absl::Status WriteHead(const SqliteDatabase& db, const CoordinatorState& state, int64_t generation) {
  ASSIGN_OR_RETURN(SqliteStatement head, db.Prepare("INSERT OR REPLACE INTO snapshot VALUES (1, ?, ?, ?, ?, ?)"));
  head.BindInt(0, state.sequence()).BindInt(1, state.next_job_number());
  head.BindInt(2, static_cast<int64_t>(state.jobs().size())).BindInt(3, static_cast<int64_t>(state.points().size()));
  return head.BindInt(4, generation).Run();
}

// Of each job the newest row up to the generation.
absl::Status ReadJobs(const SqliteDatabase& db, int64_t generation, v1::Snapshot* snapshot) {
  ASSIGN_OR_RETURN(
      SqliteStatement select,
      db.Prepare("SELECT number, body FROM snapshot_job WHERE generation <= ? ORDER BY number, generation"));
  select.BindInt(0, generation);
  int64_t last = 0;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return absl::OkStatus();
    const int64_t number = select.ColumnInt(0);
    v1::Job* job = number == last ? snapshot->mutable_jobs(snapshot->jobs_size() - 1) : snapshot->add_jobs();
    RETURN_IF_ERROR(ParseRow(db, select.ColumnBlob(1), JobId(number), job));
    last = number;
  }
}

absl::Status ReadPoints(const SqliteDatabase& db, int64_t points, v1::Snapshot* snapshot) {
  ASSIGN_OR_RETURN(SqliteStatement select,
                   db.Prepare("SELECT number, body FROM snapshot_point WHERE number <= ? ORDER BY number"));
  select.BindInt(0, points);
  while (true) {
    ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return absl::OkStatus();
    RETURN_IF_ERROR(
        ParseRow(db, select.ColumnBlob(1), fmt::format("point {}", select.ColumnInt(0)), snapshot->add_points()));
  }
}

// What there is few of is written anew each time.
constexpr char kQueueKind[] = "queue";
constexpr char kDrainingKind[] = "draining_group";
constexpr char kTokenKind[] = "token";

absl::Status WriteEntry(SqliteStatement& insert, std::string_view kind, const std::string& name,
                        const std::string& body) {
  return insert.BindText(0, kind).BindText(1, name).BindBlob(2, body).Run();
}

absl::Status WriteEntries(const SqliteDatabase& db, const CoordinatorState& state, int64_t max_row_bytes) {
  ASSIGN_OR_RETURN(SqliteStatement clear, db.Prepare("DELETE FROM entry WHERE kind IN (?, ?, ?)"));
  RETURN_IF_ERROR(clear.BindText(0, kQueueKind).BindText(1, kDrainingKind).BindText(2, kTokenKind).Run());
  ASSIGN_OR_RETURN(SqliteStatement insert, db.Prepare("INSERT INTO entry VALUES (?, ?, ?)"));
  for (const auto& [name, queue] : state.queues()) {
    ASSIGN_OR_RETURN(const std::string body, RowOf(queue, max_row_bytes));
    RETURN_IF_ERROR(WriteEntry(insert, kQueueKind, name, body));
  }
  for (const auto& [name, token] : state.tokens()) {
    ASSIGN_OR_RETURN(const std::string body, RowOf(token, max_row_bytes));
    RETURN_IF_ERROR(WriteEntry(insert, kTokenKind, name, body));
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
    if (kind == kTokenKind)
      RETURN_IF_ERROR(ParseRow(db, select.ColumnBlob(2), fmt::format("token '{}'", name), snapshot->add_tokens()));
    if (kind == kDrainingKind) snapshot->add_draining_groups(name);
  }
}

// As schema version 2 had them.
constexpr char kTablesOfVersion2[] =
    "CREATE TABLE snapshot (id INTEGER PRIMARY KEY CHECK (id = 1), sequence INTEGER NOT NULL,"
    " next_job_number INTEGER NOT NULL, jobs INTEGER NOT NULL, points INTEGER NOT NULL);"
    "CREATE TABLE snapshot_job (number INTEGER PRIMARY KEY, body BLOB NOT NULL);"
    "CREATE TABLE snapshot_point (number INTEGER PRIMARY KEY, body BLOB NOT NULL);";

absl::Status WriteVersion2(const SqliteDatabase& db, const CoordinatorState& state) {
  ASSIGN_OR_RETURN(SqliteStatement insert, db.Prepare("INSERT INTO snapshot_job VALUES (?, ?)"));
  for (const auto& [number, job] : state.jobs()) {
    ASSIGN_OR_RETURN(const std::string body, RowOf(job, kMaxRowBytes));
    RETURN_IF_ERROR(insert.BindInt(0, number).BindBlob(1, body).Run());
  }
  for (int64_t number = 1; number <= static_cast<int64_t>(state.points().size()); ++number)
    RETURN_IF_ERROR(WritePointRow(db, state, number, kMaxRowBytes).status());
  ASSIGN_OR_RETURN(SqliteStatement head, db.Prepare("INSERT INTO snapshot VALUES (1, ?, ?, ?, ?)"));
  head.BindInt(0, state.sequence()).BindInt(1, state.next_job_number());
  head.BindInt(2, static_cast<int64_t>(state.jobs().size())).BindInt(3, static_cast<int64_t>(state.points().size()));
  return head.Run();
}

}  // namespace

const char kEntryTable[] =
    "CREATE TABLE entry (kind TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (kind, name))"
    " WITHOUT ROWID;";

const char kSnapshotTables[] =
    "CREATE TABLE snapshot (id INTEGER PRIMARY KEY CHECK (id = 1), sequence INTEGER NOT NULL,"
    " next_job_number INTEGER NOT NULL, jobs INTEGER NOT NULL, points INTEGER NOT NULL, generation INTEGER NOT NULL);"
    "CREATE TABLE snapshot_job (number INTEGER NOT NULL, generation INTEGER NOT NULL, body BLOB NOT NULL,"
    " PRIMARY KEY (number, generation));"
    "CREATE TABLE snapshot_point (number INTEGER PRIMARY KEY, body BLOB NOT NULL);";

absl::StatusOr<std::string> RowOf(const google::protobuf::Message& message, int64_t max_bytes) {
  const auto size_bytes = static_cast<int64_t>(message.ByteSizeLong());
  std::string body;
  if (size_bytes <= max_bytes && message.SerializeToString(&body)) return body;
  return absl::ResourceExhaustedError(
      fmt::format("a record of {} bytes cannot be stored; {} is the limit", size_bytes, max_bytes));
}

absl::StatusOr<int64_t> SnapshotGeneration(const SqliteDatabase& db) {
  return ReadInt(db, "SELECT generation FROM snapshot WHERE id = 1");
}

absl::StatusOr<int64_t> PointsWritten(const SqliteDatabase& db) {
  return ReadInt(db, "SELECT coalesce(max(number), 0) FROM snapshot_point");
}

absl::StatusOr<int64_t> WriteJobRow(const SqliteDatabase& db, const CoordinatorState& state, int64_t number,
                                    int64_t generation, int64_t max_row_bytes) {
  ASSIGN_OR_RETURN(SqliteStatement replace, db.Prepare("INSERT OR REPLACE INTO snapshot_job VALUES (?, ?, ?)"));
  absl::StatusOr<std::string> body = RowOf(state.jobs().at(number), max_row_bytes);
  if (!body.ok())
    return absl::Status(body.status().code(),
                        fmt::format("{}: {}", JobId(number), std::string(body.status().message())));
  RETURN_IF_ERROR(replace.BindInt(0, number).BindInt(1, generation).BindBlob(2, *body).Run());
  return static_cast<int64_t>(body->size());
}

absl::StatusOr<int64_t> WritePointRow(const SqliteDatabase& db, const CoordinatorState& state, int64_t number,
                                      int64_t max_row_bytes) {
  ASSIGN_OR_RETURN(SqliteStatement insert, db.Prepare("INSERT OR REPLACE INTO snapshot_point VALUES (?, ?)"));
  ASSIGN_OR_RETURN(const std::string body, RowOf(state.points().at(static_cast<size_t>(number) - 1), max_row_bytes));
  RETURN_IF_ERROR(insert.BindInt(0, number).BindBlob(1, body).Run());
  return static_cast<int64_t>(body.size());
}

absl::Status WriteHeadAndEntries(const SqliteDatabase& db, const CoordinatorState& state, int64_t generation,
                                 int64_t max_row_bytes) {
  ASSIGN_OR_RETURN(SqliteStatement count,
                   db.Prepare("SELECT count(DISTINCT number) FROM snapshot_job WHERE generation <= ?"));
  ASSIGN_OR_RETURN(const bool row, count.BindInt(0, generation).Step());
  RETURN_IF_ERROR(CheckCount(db, "snapshot_job", row ? count.ColumnInt(0) : 0, state.jobs().size()));
  count.Reset();
  RETURN_IF_ERROR(WriteEntries(db, state, max_row_bytes));
  return WriteHead(db, state, generation);
}

absl::Status RemoveUnreadJobRows(const SqliteDatabase& db) {
  ASSIGN_OR_RETURN(const int64_t generation, SnapshotGeneration(db));
  ASSIGN_OR_RETURN(
      SqliteStatement remove,
      db.Prepare("DELETE FROM snapshot_job WHERE generation > ?1 OR EXISTS (SELECT 1 FROM snapshot_job newer WHERE"
                 " newer.number = snapshot_job.number AND newer.generation > snapshot_job.generation AND"
                 " newer.generation <= ?1)"));
  return remove.BindInt(0, generation).Run();
}

absl::StatusOr<CoordinatorState> ReadSnapshotRows(const SqliteDatabase& db) {
  ASSIGN_OR_RETURN(SqliteStatement head,
                   db.Prepare("SELECT sequence, next_job_number, jobs, points, generation FROM snapshot WHERE id = 1"));
  ASSIGN_OR_RETURN(const bool written, head.Step());
  if (!written) return CoordinatorState();
  v1::Snapshot snapshot;
  snapshot.set_sequence(head.ColumnInt(0));
  snapshot.set_next_job_number(head.ColumnInt(1));
  RETURN_IF_ERROR(ReadJobs(db, head.ColumnInt(4), &snapshot));
  RETURN_IF_ERROR(CheckCount(db, "snapshot_job", snapshot.jobs_size(), static_cast<size_t>(head.ColumnInt(2))));
  RETURN_IF_ERROR(ReadPoints(db, head.ColumnInt(3), &snapshot));
  RETURN_IF_ERROR(CheckCount(db, "snapshot_point", snapshot.points_size(), static_cast<size_t>(head.ColumnInt(3))));
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
  RETURN_IF_ERROR(db.Execute(kTablesOfVersion2));
  if (!written) return absl::OkStatus();
  ASSIGN_OR_RETURN(const CoordinatorState state, CoordinatorState::FromSnapshot(std::move(snapshot)));
  return WriteVersion2(db, state);
}

absl::Status GiveRowsAGeneration(const SqliteDatabase& db) {
  return db.Execute(
      "ALTER TABLE snapshot ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;"
      "ALTER TABLE snapshot_job RENAME TO snapshot_job_before;"
      "CREATE TABLE snapshot_job (number INTEGER NOT NULL, generation INTEGER NOT NULL, body BLOB NOT NULL,"
      " PRIMARY KEY (number, generation));"
      "INSERT INTO snapshot_job SELECT number, 0, body FROM snapshot_job_before ORDER BY number;"
      "DROP TABLE snapshot_job_before;");
}

}  // namespace ridgeline
