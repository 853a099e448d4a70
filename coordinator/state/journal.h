// SPDX-License-Identifier: Apache-2.0
// The coordinator's memory: owns the state and the SQLite file that it is rebuilt from. Nothing changes the state
// but an event that is durable first.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "coordinator/state/audit.h"
#include "coordinator/state/change_signal.h"
#include "coordinator/state/coordinator_state.h"
#include "coordinator/state/snapshot_rows.h"
#include "coordinator/state/snapshot_writer.h"
#include "coordinator/state/sqlite.h"
#include "ridgeline/v1/journal.pb.h"

namespace ridgeline {

// Told by the writer thread what became durable; must not call Commit. Events replayed at the start are not told.
class JournalObserver {
 public:
  virtual ~JournalObserver() = default;
  virtual void OnApplied(const CoordinatorState& state, const v1::Event& event,
                         const std::vector<CoordinatorState::Transition>& transitions) = 0;
  virtual void OnCommit(double seconds) = 0;
};

struct JournalOptions {
  std::string path;
  const Clock* clock = &SystemClock();
  int64_t snapshot_every_events = 1000;
  int64_t snapshot_slice_rows = 256;     // Written in one go, between commits.
  int64_t max_row_bytes = kMaxRowBytes;  // Of one event, job or point.
  int64_t max_audit_rows = 100'000;      // Of the audit, the newest; held at each snapshot.
  JournalObserver* observer = nullptr;   // May be null; must outlive the journal.
  // For simulation: Commit does the writer's work on the caller's thread, in a file system of SQLite's with this name.
  bool writes_on_callers_thread = false;
  std::string vfs;
};

// Of the file; what an older one becomes by, journal.cc has.
inline constexpr int kJournalSchemaVersion = 5;

// Thread-safe. Commits of many threads share one transaction and one fsync. Snapshots are written between them.
class Journal {
 public:
  // Sees the state with all events before its own, and answers with the event to write, nothing, or an error.
  // Runs on the writer thread: short, and without calls into the journal.
  using EventMaker = std::function<absl::StatusOr<std::optional<v1::Event>>(const CoordinatorState&)>;

  // Loads the snapshot and replays the events after it. DATA_LOSS names the damaged event. On a full disk it opens,
  // too, and says so by refuses_writes().
  static absl::StatusOr<std::unique_ptr<Journal>> Open(const JournalOptions& options);
  ~Journal();  // Finishes the commits that wait.

  // Returns when the event is durable and applied. Gives it its sequence and time, and the coordinator as its actor
  // if it has none. Errors: those of CoordinatorState::Check, or RESOURCE_EXHAUSTED when the disk is full or the event
  // too large to be stored; the state is then as before.
  absl::Status Commit(v1::Event event);
  // The same, for an event that depends on the state. OK without an event means: what the maker saw is durable.
  absl::Status Commit(EventMaker maker);

  // What people asked for, newest first. Waits for the writer thread.
  absl::StatusOr<v1::ListAuditResponse> Audit(const AuditQuery& query);

  // Calls `reader` with the state under a shared lock and returns a copy of its result: no references out, no I/O.
  template <typename Reader>
  auto Read(Reader reader) const {
    absl::ReaderMutexLock lock(&state_mutex_);
    return reader(state_);
  }

  // Notified after each commit; others may notify it too.
  ChangeSignal& changes() { return changes_; }
  int64_t SizeBytes() const;

  // The disk took no write the last time: commits fail with RESOURCE_EXHAUSTED, and reads are as ever. Ends with the
  // next commit that the disk takes; one without an event tries, too.
  bool refuses_writes() const { return refuses_writes_; }

 private:
  using DatabaseReader = std::function<absl::Status(const SqliteDatabase&)>;
  struct Request {  // One of the two.
    const EventMaker* maker = nullptr;
    const DatabaseReader* reader = nullptr;
    absl::Status status;
    bool done = false;
  };

  Journal(const JournalOptions& options, SqliteDatabase db);
  absl::Status Load();
  absl::Status ReplayEvents();
  absl::Status Replay(int64_t sequence, const std::string& body);

  void WriterLoop();
  absl::Status Serve(Request request);
  void ServeBatch(const std::vector<Request*>& batch);
  void WriteBatch(const std::vector<Request*>& batch);
  absl::StatusOr<std::optional<v1::Event>> Stage(const EventMaker& maker);
  absl::Status Persist(const std::vector<v1::Event>& events);
  void ApplyDurable(const std::vector<v1::Event>& events);
  void TryToWrite();
  void NoteWrite(const absl::Status& status);
  void WriteSnapshotSlice();

  const JournalOptions options_;
  ChangeSignal changes_;

  // Of the writer thread alone (and of Open before it starts).
  SqliteDatabase db_;
  SqliteStatement insert_event_;
  CoordinatorState staged_;  // state_ and the events of the transaction that is being written.
  SnapshotWriter snapshot_;

  std::atomic<bool> refuses_writes_ = false;

  mutable absl::Mutex state_mutex_;
  CoordinatorState state_ ABSL_GUARDED_BY(state_mutex_);  // Only durable events. Changed by the writer thread.

  absl::Mutex queue_mutex_;
  std::deque<Request*> queue_ ABSL_GUARDED_BY(queue_mutex_);
  absl::CondVar work_;
  absl::CondVar finished_;
  bool stopping_ ABSL_GUARDED_BY(queue_mutex_) = false;
  std::thread writer_;
};

}  // namespace ridgeline
