// SPDX-License-Identifier: Apache-2.0
// Worker groups: who is connected, whose lease runs, what each group believes to be doing, and the records they send.
// Knows nothing of gRPC or threads of its own.
//
// The journal alone knows which attempts are live; the fleet only knows who is there. control/reconcile.h brings the
// two together.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "coordinator/fleet/collectives_since.h"
#include "coordinator/fleet/group_channel.h"
#include "coordinator/fleet/schedulable_group.h"
#include "coordinator/state/journal.h"
#include "coordinator/state/metric_store.h"
#include "ridgeline/v1/coordinator.pb.h"
#include "ridgeline/v1/worker.pb.h"

namespace ridgeline {

struct FleetOptions {
  int64_t heartbeat_interval_ms = 1'000;
  int64_t lease_ms = 10'000;
  const Clock* clock = &SystemClock();
  std::string recipe_schema;          // What groups have to mean by a recipe; empty: they are not asked.
  int64_t answer_grace_ms = 300'000;  // For an attempt that is asked to end: a checkpoint is written meanwhile.
};

// Told of what groups send. Thread-safe.
class FleetObserver {
 public:
  virtual ~FleetObserver() = default;
  // Reason: stale (the attempt is over), foreign (another group holds it), invalid (out of range).
  virtual void OnRefusedRecord(const char* reason) = 0;
  virtual void OnStep(const std::string& queue, const v1::MetricPoint& point) = 0;
  virtual void OnCollectives(const CollectiveCountList& more) = 0;
};

struct AttemptKey {
  std::string job_id;
  int64_t epoch = 0;
  bool operator==(const AttemptKey&) const = default;
};

// An attempt that the journal says is live, copied out of it.
struct LiveAttemptView {
  AttemptKey key;
  std::string group_id;
  std::string incarnation;
  bool cancel_requested = false;
  std::string preempt_reason;  // It is asked to commit a checkpoint and end; empty: it is not.
};
std::vector<LiveAttemptView> LiveAttempts(const Journal& journal);

// Thread-safe. Journal, store and observer must outlive it.
class Fleet {
 public:
  using Sender = CoordinatorState::Holder;

  // Attempts that were live before a restart get a full lease for their group to come back.
  Fleet(const FleetOptions& options, Journal* journal, MetricStore* store, FleetObserver* observer);

  // A group's first message; answers with Welcome. An error is for the group: it is none that can be, it knows other
  // recipes (and is at no attempt, which it may end), another start of it has taken its place, or (UNAVAILABLE) the
  // coordinator is stopping.
  absl::Status Attach(const v1::Hello& hello, const std::shared_ptr<GroupChannel>& channel);
  // Any further message. An error ends the connection: what was not acknowledged comes again with the next one.
  absl::Status Handle(const Sender& sender, GroupChannel& channel, const v1::WorkerMessage& message);
  // The connection is over; `said_goodbye`: in good order.
  void Detach(const std::string& group_id, const std::shared_ptr<GroupChannel>& channel, bool said_goodbye);
  // Ends all connections and refuses new ones; for shutdown.
  void Close();

  struct GroupView {
    v1::WorkerGroup group;
    int64_t memory_used_bytes = 0;
  };
  std::vector<GroupView> Groups() const;  // By id.
  // Groups that may be given a job, or are busy with one.
  std::vector<SchedulableGroup> SchedulableGroups() const;

  // For reconciling, by one thread.
  // A coordinator that stood still (a paused machine, SIGSTOP) heard nobody, and the heartbeats of that time are still
  // unread: it was not the groups that were silent.
  void ForgiveStall();
  // Why the attempt is lost, if it is.
  std::optional<std::string> WhyLost(const LiveAttemptView& attempt) const;
  // Seconds since the attempt's group was told that it is cancelled or has to end, if it had time enough to.
  std::optional<double> OverdueSeconds(const LiveAttemptView& attempt) const;
  // Sends the assignment to a group that does not know of it, and what it has not heard: that the attempt is cancelled,
  // or asked to end.
  void Deliver(const LiveAttemptView& attempt);
  // Tells groups that are at something which is not live.
  void CancelStaleAttempts(const std::vector<LiveAttemptView>& live);
  void DropExpiredGroups(const std::vector<LiveAttemptView>& live);
  // What a new attempt on the group has to say; UNAVAILABLE if it left. `attached_ms` names its connection.
  absl::StatusOr<v1::AttemptStarted> AttemptOn(const std::string& group_id, int64_t* attached_ms) const;
  // The attempt was made durable for that connection.
  void NoteStarted(const v1::AttemptStarted& started, int64_t attached_ms);

 private:
  struct Group {
    v1::Hello hello;
    std::shared_ptr<GroupChannel> channel;  // Null while its connection is broken.
    int64_t last_heard_ms = 0;              // Monotonic.
    int64_t last_heartbeat_unix_ms = 0;
    int64_t memory_used_bytes = 0;
    int64_t device_memory_used_bytes = 0;
    std::optional<CollectiveCountList> collectives;  // Of this incarnation, by its last heartbeat.
    bool leaving = false;                            // It said that it was asked to end.
    std::optional<AttemptKey> known;                 // What the group itself believes to be running.
    bool cancel_sent = false;                        // For `known`, on this connection.
    bool preempt_sent = false;                       // The same.
    int64_t asked_ms = 0;                            // Monotonic; when the first of both was sent.
    std::optional<AttemptKey> started_here;          // The attempt that was given to this very connection.
    int64_t attached_ms = 0;                         // Monotonic; when this connection began.
    bool result_pending = false;                     // The result of `known` is being committed.
    const GroupChannel* recording = nullptr;  // Its handler is busy with a record and reads no heartbeats meanwhile.
    std::deque<std::string> superseded;       // Earlier incarnations, which must not come back.
  };

  // It is there for what an earlier start of it has left, and gets no job.
  static bool HandsIn(const Group& group) { return group.channel != nullptr && group.hello.ranks() == 0; }
  bool KnowsOurRecipes(const v1::Hello& hello) const;
  absl::Status Register(const v1::Hello& hello, const std::shared_ptr<GroupChannel>& channel);
  bool LeaseRanOut(const Group& group) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool SendAssign(GroupChannel& channel, const AttemptKey& key) const;
  void WithGroup(const std::string& group_id, const std::function<void(Group&)>& change);

  // records.cc
  absl::Status CountCollectives(const Sender& sender, const GroupChannel& channel, const v1::Heartbeat& heartbeat);
  absl::Status HandleRecord(const Sender& sender, const v1::WorkerMessage& message);
  absl::Status StoreMetrics(const Sender& sender, const v1::MetricBatch& batch);
  absl::Status StoreLogs(const Sender& sender, const v1::LogBatch& batch, int64_t sequence);
  absl::Status CommitCheckpoint(const Sender& sender, const v1::CheckpointCommitted& checkpoint);
  absl::Status CommitResult(const Sender& sender, const v1::AttemptResult& result);
  void NoteRefusal(const Sender& sender, const absl::Status& why);
  void TellStale(const std::string& group_id, GroupChannel& channel, const v1::WorkerMessage& message);
  void BeginMessage(const std::string& group_id, const GroupChannel& channel, const v1::WorkerMessage& message);
  void EndRecord(const std::string& group_id, const GroupChannel& channel);
  static v1::CoordinatorMessage StaleMessage(const AttemptKey& key);

  const FleetOptions options_;
  Journal* const journal_;
  MetricStore* const store_;
  FleetObserver* const observer_;

  mutable absl::Mutex mutex_;  // Never held during a commit, nor while a connection is written.
  std::map<std::string, Group> groups_ ABSL_GUARDED_BY(mutex_);
  int64_t reconciled_ms_ ABSL_GUARDED_BY(mutex_) = 0;  // Monotonic; the last ForgiveStall. Leases are as of then.
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace ridgeline
