// SPDX-License-Identifier: Apache-2.0
#include "coordinator/state/journal.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

#include "common/failpoint.h"
#include "common/status_macros.h"
#include "coordinator/state/snapshot_rows.h"

namespace ridgeline {
namespace {

constexpr char kCoordinatorActor[] = "coordinator";

absl::Status AddEntries(const SqliteDatabase& db) { return db.Execute(kEntryTable); }
absl::Status AddAudit(const SqliteDatabase& db) { return db.Execute(kAuditTable); }

SqliteDatabase::Schema JournalSchema() {
  return {.version = kJournalSchemaVersion,
          .tables = std::string("CREATE TABLE event (sequence INTEGER PRIMARY KEY, body BLOB NOT NULL);") +
                    kSnapshotTables + kEntryTable + kAuditTable,
          .migrations = {{1, SnapshotToRows}, {2, AddEntries}, {3, GiveRowsAGeneration}, {4, AddAudit}}};
}

}  // namespace

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(const JournalOptions& options) {
  ASSIGN_OR_RETURN(SqliteDatabase db, SqliteDatabase::Open(options.path, JournalSchema(), options.vfs));
  std::unique_ptr<Journal> journal(new Journal(options, std::move(db)));
  RETURN_IF_ERROR(journal->Load());
  if (!options.writes_on_callers_thread) journal->writer_ = std::thread([raw = journal.get()] { raw->WriterLoop(); });
  return journal;
}

Journal::Journal(const JournalOptions& options, SqliteDatabase db)
    : options_(options),
      db_(std::move(db)),
      snapshot_(SnapshotWriter::Options{.every_events = options.snapshot_every_events,
                                        .slice_rows = options.snapshot_slice_rows,
                                        .max_row_bytes = options.max_row_bytes,
                                        .max_audit_rows = options.max_audit_rows}) {}

Journal::~Journal() {
  {
    absl::MutexLock lock(&queue_mutex_);
    stopping_ = true;
    work_.SignalAll();
  }
  if (writer_.joinable()) writer_.join();
}

absl::Status Journal::Load() {
  ASSIGN_OR_RETURN(staged_, ReadSnapshotRows(db_));
  RETURN_IF_ERROR(ReplayEvents());
  ASSIGN_OR_RETURN(insert_event_, db_.Prepare("INSERT INTO event (sequence, body) VALUES (?, ?)"));
  {
    absl::MutexLock lock(&state_mutex_);
    state_ = staged_;
  }
  TryToWrite();
  if (refuses_writes_) return absl::OkStatus();
  if (const absl::Status status = RemoveUnreadJobRows(db_); !status.ok())
    spdlog::warn("journal: rows that nobody reads stay: {}", std::string(status.message()));
  return absl::OkStatus();
}

absl::Status Journal::ReplayEvents() {
  ASSIGN_OR_RETURN(SqliteStatement select,
                   db_.Prepare("SELECT sequence, body FROM event WHERE sequence > ? ORDER BY sequence"));
  select.BindInt(0, staged_.sequence());
  while (true) {
    ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return absl::OkStatus();
    RETURN_IF_ERROR(Replay(select.ColumnInt(0), select.ColumnBlob(1)));
    snapshot_.AddEvents(1);
  }
}

absl::Status Journal::Replay(int64_t sequence, const std::string& body) {
  v1::Event event;
  if (sequence != staged_.sequence() + 1) {
    return absl::DataLossError(fmt::format("{}: event {} is missing (the next one is {}); restore the file from a copy",
                                           options_.path, staged_.sequence() + 1, sequence));
  }
  if (!event.ParseFromString(body) || event.sequence() != sequence) {
    return absl::DataLossError(
        fmt::format("{}: event {} cannot be read; restore the file from a copy", options_.path, sequence));
  }
  if (const absl::Status status = staged_.Check(event); !status.ok()) {
    return absl::DataLossError(
        fmt::format("{}: event {} contradicts those before it ({}); restore the file from a copy", options_.path,
                    sequence, std::string(status.message())));
  }
  staged_.Apply(event);
  return absl::OkStatus();
}

absl::Status Journal::Commit(v1::Event event) {
  return Commit([&event](const CoordinatorState&) { return std::optional(event); });
}

absl::Status Journal::Commit(EventMaker maker) {
  Request request;
  request.maker = &maker;
  return Serve(request);
}

absl::StatusOr<v1::ListAuditResponse> Journal::Audit(const AuditQuery& query) {
  absl::StatusOr<v1::ListAuditResponse> response;
  const DatabaseReader reader = [&](const SqliteDatabase& db) { return (response = ReadAudit(db, query)).status(); };
  Request request;
  request.reader = &reader;
  RETURN_IF_ERROR(Serve(request));
  return response;
}

absl::Status Journal::Serve(Request request) {
  if (options_.writes_on_callers_thread) {
    ServeBatch({&request});
    if (snapshot_.HasWork()) WriteSnapshotSlice();
    return request.status;
  }
  absl::MutexLock lock(&queue_mutex_);
  if (stopping_) return absl::UnavailableError("the coordinator is stopping; try again in a moment");
  queue_.push_back(&request);
  work_.Signal();
  while (!request.done) finished_.Wait(&queue_mutex_);
  return request.status;
}

void Journal::WriterLoop() {
  while (true) {
    std::vector<Request*> batch;
    {
      absl::MutexLock lock(&queue_mutex_);
      while (queue_.empty() && !stopping_ && !snapshot_.HasWork()) work_.Wait(&queue_mutex_);
      if (queue_.empty() && !snapshot_.HasWork()) return;
      batch.assign(queue_.begin(), queue_.end());
      queue_.clear();
    }
    if (!batch.empty()) ServeBatch(batch);
    {
      absl::MutexLock lock(&queue_mutex_);
      for (Request* request : batch) request->done = true;
      finished_.SignalAll();
    }
    if (snapshot_.HasWork()) WriteSnapshotSlice();
  }
}

void Journal::ServeBatch(const std::vector<Request*>& batch) {
  std::vector<Request*> writes, reads;
  for (Request* request : batch) (request->maker != nullptr ? writes : reads).push_back(request);
  WriteBatch(writes);
  for (Request* request : reads) request->status = (*request->reader)(db_);
}

void Journal::WriteBatch(const std::vector<Request*>& batch) {
  std::vector<v1::Event> events;
  for (Request* request : batch) {
    absl::StatusOr<std::optional<v1::Event>> event = Stage(*request->maker);
    request->status = event.status();
    if (event.ok() && event->has_value()) events.push_back(**std::move(event));
  }
  if (events.empty()) {
    if (refuses_writes_) TryToWrite();
    return;
  }
  const absl::Status status = Persist(events);
  NoteWrite(status);
  if (!status.ok()) {
    spdlog::error("journal: {}", std::string(status.message()));
    absl::ReaderMutexLock lock(&state_mutex_);
    staged_ = state_;
    // Refusals too may rest on an event that was not written.
    for (Request* request : batch) request->status = status;
    return;
  }
  ApplyDurable(events);
  Failpoint("journal.before_acknowledgement");
  changes_.Notify();
}

absl::StatusOr<std::optional<v1::Event>> Journal::Stage(const EventMaker& maker) {
  ASSIGN_OR_RETURN(std::optional<v1::Event> event, maker(staged_));
  if (!event.has_value()) return event;
  event->set_sequence(staged_.sequence() + 1);
  event->set_time_unix_ms(options_.clock->WallUnixMs());
  if (!event->has_actor()) event->mutable_actor()->set_name(kCoordinatorActor);
  RETURN_IF_ERROR(staged_.Check(*event));
  RETURN_IF_ERROR(RowOf(*event, options_.max_row_bytes).status());
  staged_.Apply(*event);
  return event;
}

absl::Status Journal::Persist(const std::vector<v1::Event>& events) {
  if (Failpoint("journal.acknowledge_before_write")) return absl::OkStatus();
  Failpoint("journal.before_commit");
  const auto start = std::chrono::steady_clock::now();
  const absl::Status status = db_.Transaction([&]() -> absl::Status {
    for (const v1::Event& event : events) {
      ASSIGN_OR_RETURN(const std::string body, RowOf(event, options_.max_row_bytes));
      RETURN_IF_ERROR(insert_event_.BindInt(0, event.sequence()).BindBlob(1, body).Run());
      RETURN_IF_ERROR(WriteAudit(db_, event));
    }
    return absl::OkStatus();
  });
  Failpoint("journal.after_commit");
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  if (options_.observer != nullptr) options_.observer->OnCommit(seconds.count());
  return status;
}

void Journal::ApplyDurable(const std::vector<v1::Event>& events) {
  absl::MutexLock lock(&state_mutex_);
  for (const v1::Event& event : events) {
    const std::vector<CoordinatorState::Transition> transitions = state_.Apply(event);
    if (options_.observer != nullptr) options_.observer->OnApplied(state_, event, transitions);
  }
  snapshot_.AddEvents(static_cast<int64_t>(events.size()));
}

// Writes what is there already.
void Journal::TryToWrite() {
  NoteWrite(db_.Transaction([&] { return db_.Execute(fmt::format("PRAGMA user_version={}", kJournalSchemaVersion)); }));
}

void Journal::NoteWrite(const absl::Status& status) {
  const bool refuses = absl::IsResourceExhausted(status);
  if (refuses == refuses_writes_.exchange(refuses)) return;
  if (refuses)
    spdlog::error(
        "the journal cannot be written: what is there can be read, and all else is refused until there is"
        " space ({})",
        std::string(status.message()));
  else
    spdlog::info("the journal can be written again");
}

void Journal::WriteSnapshotSlice() {
  if (const absl::Status status = snapshot_.WriteSlice(db_, staged_); !status.ok())
    spdlog::warn("journal: no snapshot this time, the events stay: {}", std::string(status.message()));
}

int64_t Journal::SizeBytes() const { return DatabaseBytes(options_.path); }

}  // namespace ridgeline
