// SPDX-License-Identifier: Apache-2.0
// Prometheus counters and histograms that are fed by events. Gauges that describe the state are made at each scrape,
// by StateCollector.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "absl/status/status.h"
#include "coordinator/fleet/fleet.h"
#include "coordinator/state/journal.h"
#include "coordinator/telemetry/collective_totals.h"
#include "ridgeline/v1/job.pb.h"

namespace ridgeline {

// There is one pool of worker groups.
inline constexpr char kPoolLabel[] = "default";

// Thread-safe; outlives the journal and the services.
class CoordinatorMetrics final : public JournalObserver, public FleetObserver {
 public:
  CoordinatorMetrics();

  void OnApplied(const CoordinatorState& state, const v1::Event& event,
                 const std::vector<CoordinatorState::Transition>& transitions) override;
  void OnCommit(double seconds) override;

  // Lets a queue's series begin at 0, so that rate() sees their first event. Queues that are set later are added by
  // themselves.
  void AddQueue(const std::string& queue);

  // Streams pass no duration.
  void ObserveRpc(const std::string& method, absl::StatusCode code, std::optional<double> seconds);
  // `stream`: WatchJob or StreamLogs. Dropped is what a slow reader was not sent, since something newer was there.
  void OnStreamOpened(const std::string& stream) { stream_subscribers_.Add({{"stream", stream}}).Increment(); }
  void OnStreamClosed(const std::string& stream) { stream_subscribers_.Add({{"stream", stream}}).Decrement(); }
  void OnStreamDropped(const std::string& stream, int64_t count);
  void ObserveSchedulerCycle(double seconds);
  void OnAuthFailure(const char* reason);
  void OnRefusedRecord(const char* reason) override;
  void OnStep(const std::string& queue, const v1::MetricPoint& point) override;
  void OnCollectives(const CollectiveCountList& more) override { collectives_->Add(more); }

  const std::shared_ptr<prometheus::Registry>& registry() const { return registry_; }
  const std::shared_ptr<CollectiveTotals>& collectives() const { return collectives_; }

 private:
  void ObserveQueueWait(const v1::Job& job);
  void ObservePhase(const std::string& queue, const std::string& phase, double seconds);

  std::unordered_map<std::string, int64_t> queued_unix_ms_;  // Only the journal's writer thread uses it.
  const std::shared_ptr<CollectiveTotals> collectives_ = std::make_shared<CollectiveTotals>();
  std::shared_ptr<prometheus::Registry> registry_;
  prometheus::Family<prometheus::Counter>& rpc_requests_;
  prometheus::Family<prometheus::Histogram>& rpc_duration_;
  prometheus::Family<prometheus::Counter>& jobs_finished_;
  prometheus::Family<prometheus::Counter>& job_restarts_;
  prometheus::Family<prometheus::Counter>& records_refused_;
  prometheus::Family<prometheus::Counter>& auth_failures_;
  prometheus::Family<prometheus::Histogram>& step_duration_;
  prometheus::Family<prometheus::Gauge>& stream_subscribers_;
  prometheus::Family<prometheus::Counter>& stream_dropped_;
  prometheus::Histogram& journal_commit_;
  prometheus::Family<prometheus::Histogram>& queue_wait_;
  prometheus::Histogram& scheduler_cycle_;
};

}  // namespace ridgeline
