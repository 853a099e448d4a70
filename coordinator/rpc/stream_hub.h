// SPDX-License-Identifier: Apache-2.0
// The streams that people follow, WatchJob and StreamLogs. All of them share one thread, and one that nobody reads
// waits with a single message: a thousand of them cost neither threads nor memory.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/control/access.h"
#include "coordinator/telemetry/metrics.h"
#include "coordinator/view/job_reader.h"
#include "coordinator/view/watched_jobs.h"
#include "ridgeline/v1/coordinator.pb.h"

namespace ridgeline {

// How often streams look for new metrics and log lines; after an event they look at once.
inline constexpr int64_t kStreamTickMs = 200;

// What the hub knows of a stream.
class HubStream {
 public:
  virtual ~HubStream() = default;
  virtual void Pump() = 0;                           // Sends what there is, if nothing is on its way. Thread-safe.
  virtual void End(const absl::Status& status) = 0;  // Thread-safe.
  virtual bool has_ended() const = 0;                // Thread-safe.
  virtual const Principal& caller() const = 0;
};

// Thread-safe. What it is made of must outlive it; all streams have ended before it is destroyed.
class StreamHub {
 public:
  StreamHub(const JobReader* reader, const AccessControl* access, Journal* journal, MetricStore* store,
            CoordinatorMetrics* metrics, size_t max_streams);
  ~StreamHub();

  // The reactors of new calls; they end by themselves. `caller`: who was admitted, or why nobody was; a stream ends
  // soon after its caller would no longer be. Beyond
  // `max_streams` of all clients they end with RESOURCE_EXHAUSTED.
  grpc::ServerWriteReactor<v1::Job>* Watch(const v1::WatchJobRequest& request, absl::StatusOr<Principal> caller);
  grpc::ServerWriteReactor<v1::LogLine>* Logs(const v1::StreamLogsRequest& request, absl::StatusOr<Principal> caller);

  // Ends all streams, and those that come.
  void Stop();

 private:
  template <typename Source>
  grpc::ServerWriteReactor<typename Source::Message>* Start(const char* method, const Principal& caller,
                                                            absl::StatusOr<Source> source);
  void Run();
  void EndUnwelcome();
  std::vector<std::shared_ptr<HubStream>> Streams() const;

  const JobReader* const reader_;
  const AccessControl* const access_;
  Journal* const journal_;
  MetricStore* const store_;
  CoordinatorMetrics* const metrics_;
  const size_t max_streams_;
  WatchedJobs watched_;
  mutable absl::Mutex mutex_;
  std::set<std::shared_ptr<HubStream>> streams_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace ridgeline
