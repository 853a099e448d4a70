// SPDX-License-Identifier: Apache-2.0
// Where worker groups attach: who is connected, whose lease runs, and what each group must be told.
//
// The journal alone knows which attempts are live; the gateway only knows who is there. Reconcile brings the two
// together: it hands out and cancels attempts over the streams, and ends those whose group is gone.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "coordinator/rpc/metrics.h"
#include "coordinator/rpc/worker_session.h"
#include "coordinator/scheduler/scheduler.h"
#include "coordinator/state/journal.h"
#include "coordinator/state/metric_store.h"
#include "ridgeline/v1/coordinator.pb.h"
#include "ridgeline/v1/worker.grpc.pb.h"

namespace ridgeline {

struct GatewayOptions {
  int64_t heartbeat_interval_ms = 1'000;
  int64_t lease_ms = 10'000;
  const Clock* clock = &SystemClock();
};

// Thread-safe. Journal, store and metrics must outlive it.
class WorkerGateway final : public v1::WorkerGateway::Service {
 public:
  // Attempts that were live before a restart get a full lease for their group to come back.
  WorkerGateway(const GatewayOptions& options, Journal* journal, MetricStore* store, CoordinatorMetrics* metrics);

  // One call a worker group; lives as long as its stream.
  grpc::Status Attach(grpc::ServerContext* context, WorkerStream* stream) override;

  // Ends attempts whose group is gone, sends assignments and cancels that are due. Called by one thread, after each
  // change and often enough for leases.
  void Reconcile();

  // Groups that may be given a job, or are busy with one.
  std::vector<SchedulableGroup> SchedulableGroups() const;
  // Makes the attempt durable; the next Reconcile sends it.
  absl::Status StartAttempt(const Assignment& assignment);

  struct GroupView {
    v1::WorkerGroup group;
    int64_t memory_used_bytes = 0;
  };
  std::vector<GroupView> Groups() const;  // By id.

  // Ends all streams and refuses new ones; for shutdown.
  void Close();

 private:
  struct AttemptKey {
    std::string job_id;
    int64_t epoch = 0;
    bool operator==(const AttemptKey&) const = default;
  };
  struct Group {
    v1::Hello hello;
    std::shared_ptr<WorkerSession> session;  // Null while its stream is broken.
    int64_t last_heard_ms = 0;               // Monotonic.
    int64_t last_heartbeat_unix_ms = 0;
    int64_t memory_used_bytes = 0;
    int64_t device_memory_used_bytes = 0;
    std::optional<CollectiveCountList> collectives;  // Of this incarnation, by its last heartbeat.
    bool leaving = false;                            // It said that it was asked to end.
    std::optional<AttemptKey> known;                 // What the group itself believes to be running.
    bool cancel_sent = false;                        // For `known`, on this stream.
    std::optional<AttemptKey> started_here;          // The attempt that was given to this very stream.
    int64_t attached_ms = 0;                         // Monotonic; when this stream began.
    bool result_pending = false;                     // The result of `known` is being committed.
    const WorkerSession* recording = nullptr;  // Its handler is busy with a record and reads no heartbeats meanwhile.
    std::deque<std::string> superseded;        // Earlier incarnations, which must not come back.
  };
  // An attempt that the journal says is live, copied out of it.
  struct LiveAttemptView {
    AttemptKey key;
    std::string group_id;
    std::string incarnation;
    bool cancel_requested = false;
  };

  absl::Status Serve(grpc::ServerContext* context, WorkerStream* stream);
  absl::Status Register(const v1::Hello& hello, const std::shared_ptr<WorkerSession>& session);
  void Unregister(const std::string& group_id, const std::shared_ptr<WorkerSession>& session, bool said_goodbye);
  using Sender = CoordinatorState::Holder;
  absl::Status HandleMessage(const Sender& sender, WorkerSession& session, const v1::WorkerMessage& message);
  absl::Status CountCollectives(const Sender& sender, const WorkerSession& session, const v1::Heartbeat& heartbeat);
  absl::Status HandleRecord(const Sender& sender, const v1::WorkerMessage& message);
  absl::Status StoreMetrics(const Sender& sender, const v1::MetricBatch& batch);
  absl::Status StoreLogs(const Sender& sender, const v1::LogBatch& batch, int64_t sequence);
  absl::Status CommitCheckpoint(const Sender& sender, const v1::CheckpointCommitted& checkpoint);
  absl::Status CommitResult(const Sender& sender, const v1::AttemptResult& result);
  void NoteRefusal(const Sender& sender, const absl::Status& why);
  void TellStale(const std::string& group_id, WorkerSession& session, const v1::WorkerMessage& message);
  void BeginMessage(const std::string& group_id, const WorkerSession& session, const v1::WorkerMessage& message);
  void EndRecord(const std::string& group_id, const WorkerSession& session);
  void WithGroup(const std::string& group_id, const std::function<void(Group&)>& change);
  static v1::CoordinatorMessage StaleMessage(const AttemptKey& key);

  void ForgiveStall();
  std::vector<LiveAttemptView> LiveAttempts() const;
  void EndLostAttempts(const std::vector<LiveAttemptView>& live);
  std::optional<std::string> WhyLost(const LiveAttemptView& attempt) const;
  void Deliver(const LiveAttemptView& attempt);
  bool SendAssign(WorkerSession& session, const AttemptKey& key) const;
  void CancelStaleAttempts(const std::vector<LiveAttemptView>& live);
  void DropExpiredGroups(const std::vector<LiveAttemptView>& live);
  bool LeaseRanOut(const Group& group) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const GatewayOptions options_;
  Journal* const journal_;
  MetricStore* const store_;
  CoordinatorMetrics* const metrics_;

  mutable absl::Mutex mutex_;  // Never held during a commit, nor while a stream is written.
  std::map<std::string, Group> groups_ ABSL_GUARDED_BY(mutex_);
  int64_t reconciled_ms_ ABSL_GUARDED_BY(mutex_) = 0;  // Monotonic; the last Reconcile. Leases are as of then.
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace ridgeline
