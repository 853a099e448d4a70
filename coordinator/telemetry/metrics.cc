// SPDX-License-Identifier: Apache-2.0
#include "coordinator/telemetry/metrics.h"

#include <algorithm>

#include "coordinator/control/access.h"

namespace ridgeline {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildHistogram;
using Buckets = prometheus::Histogram::BucketBoundaries;

const Buckets& LatencyBuckets() {
  static const Buckets buckets{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
  return buckets;
}

const Buckets& StepBuckets() {
  static const Buckets buckets{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
  return buckets;
}

const Buckets& WaitBuckets() {
  static const Buckets buckets{0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600};
  return buckets;
}

prometheus::Family<prometheus::Counter>& Counters(prometheus::Registry& registry, const char* name, const char* help) {
  return BuildCounter().Name(name).Help(help).Register(registry);
}

prometheus::Family<prometheus::Histogram>& Histograms(prometheus::Registry& registry, const char* name,
                                                      const char* help) {
  return BuildHistogram().Name(name).Help(help).Register(registry);
}

}  // namespace

CoordinatorMetrics::CoordinatorMetrics()
    : registry_(std::make_shared<prometheus::Registry>()),
      rpc_requests_(Counters(*registry_, "ridgeline_rpc_requests_total", "RPCs that ended, by method and status code")),
      rpc_duration_(Histograms(*registry_, "ridgeline_rpc_duration_seconds", "Duration of unary RPCs")),
      jobs_finished_(Counters(*registry_, "ridgeline_jobs_finished_total", "Jobs that reached a terminal state")),
      job_restarts_(
          Counters(*registry_, "ridgeline_job_restarts_total", "Attempts that ended early and were queued again")),
      records_refused_(Counters(*registry_, "ridgeline_worker_records_refused_total",
                                "Records of worker groups that were refused and changed nothing")),
      auth_failures_(Counters(*registry_, "ridgeline_auth_failures_total",
                              "Calls that were refused for who made them, by reason")),
      step_duration_(
          Histograms(*registry_, "ridgeline_train_step_duration_seconds", "Duration of optimizer steps, by phase")),
      stream_subscribers_(prometheus::BuildGauge()
                              .Name("ridgeline_stream_subscribers")
                              .Help("Streams that are open, by what they bring")
                              .Register(*registry_)),
      stream_dropped_(Counters(*registry_, "ridgeline_stream_dropped_total",
                               "States that readers were too slow to be sent before the next")),
      journal_commit_(Histograms(*registry_, "ridgeline_journal_commit_duration_seconds",
                                 "Duration of journal transactions, fsync included")
                          .Add({}, LatencyBuckets())),
      queue_wait_(Histograms(*registry_, "ridgeline_queue_wait_seconds", "Time from being queued to a worker group")),
      scheduler_cycle_(Histograms(*registry_, "ridgeline_scheduler_cycle_duration_seconds",
                                  "Duration of one pass over queue and groups")
                           .Add({}, LatencyBuckets())) {
  prometheus::BuildGauge()
      .Name("ridgeline_build_info")
      .Help("1, with the version as a label")
      .Register(*registry_)
      .Add({{"version", RIDGELINE_VERSION}})
      .Set(1);
  AddQueue(kDefaultQueue);
  for (const char* stream : {"WatchJob", "StreamLogs"}) {
    stream_subscribers_.Add({{"stream", stream}});
    stream_dropped_.Add({{"stream", stream}});
  }
  for (const char* reason : {"stale", "foreign", "invalid"}) records_refused_.Add({{"reason", reason}});
  for (const char* reason : kAccessRefusals) auth_failures_.Add({{"reason", reason}});
}

void CoordinatorMetrics::AddQueue(const std::string& queue) {
  queue_wait_.Add({{"queue", queue}}, WaitBuckets());
  for (const char* outcome : {"succeeded", "failed", "cancelled"})
    jobs_finished_.Add({{"queue", queue}, {"outcome", outcome}});
  for (const char* reason : {"lost", "preempted", "no_room"}) job_restarts_.Add({{"queue", queue}, {"reason", reason}});
}

void CoordinatorMetrics::OnApplied(const CoordinatorState& state, const v1::Event& event,
                                   const std::vector<CoordinatorState::Transition>& transitions) {
  if (event.has_queue_set()) AddQueue(event.queue_set().queue().name());
  for (const CoordinatorState::Transition& transition : transitions) {
    const v1::Job& job = *state.FindById(transition.job_id);
    if (IsParent(job)) continue;
    const std::string queue = QueueOf(job);
    if (transition.to == v1::RUNNING) ObserveQueueWait(job);
    queued_unix_ms_.erase(job.id());
    if (transition.to == v1::QUEUED) queued_unix_ms_[job.id()] = event.time_unix_ms();
    if (IsTerminal(transition.to)) {
      const char* outcome = transition.to == v1::SUCCEEDED ? "succeeded"
                            : transition.to == v1::FAILED  ? "failed"
                                                           : "cancelled";
      jobs_finished_.Add({{"queue", queue}, {"outcome", outcome}}).Increment();
    }
    if (transition.from == v1::RUNNING && transition.to == v1::QUEUED) {
      const v1::AttemptOutcome outcome = event.attempt_ended().outcome();
      const char* reason = outcome == v1::PREEMPTED ? "preempted" : outcome == v1::NO_ROOM ? "no_room" : "lost";
      job_restarts_.Add({{"queue", queue}, {"reason", reason}}).Increment();
    }
  }
}

void CoordinatorMetrics::ObserveQueueWait(const v1::Job& job) {
  const int attempts = job.attempts_size();
  // Of a job that was queued before this program started, the journal tells since when.
  int64_t queued_ms = attempts > 1 ? job.attempts(attempts - 2).end_unix_ms() : job.submit_unix_ms();
  if (const auto found = queued_unix_ms_.find(job.id()); found != queued_unix_ms_.end()) queued_ms = found->second;
  queue_wait_.Add({{"queue", QueueOf(job)}}, WaitBuckets())
      .Observe(std::max<int64_t>(0, job.attempts(attempts - 1).start_unix_ms() - queued_ms) / 1e3);
}

void CoordinatorMetrics::OnCommit(double seconds) { journal_commit_.Observe(seconds); }

void CoordinatorMetrics::ObserveRpc(const std::string& method, absl::StatusCode code, std::optional<double> seconds) {
  rpc_requests_.Add({{"method", method}, {"code", absl::StatusCodeToString(code)}}).Increment();
  if (seconds.has_value()) rpc_duration_.Add({{"method", method}}, LatencyBuckets()).Observe(*seconds);
}

void CoordinatorMetrics::OnStreamDropped(const std::string& stream, int64_t count) {
  stream_dropped_.Add({{"stream", stream}}).Increment(static_cast<double>(count));
}

void CoordinatorMetrics::ObserveSchedulerCycle(double seconds) { scheduler_cycle_.Observe(seconds); }

void CoordinatorMetrics::OnRefusedRecord(const char* reason) { records_refused_.Add({{"reason", reason}}).Increment(); }

void CoordinatorMetrics::OnAuthFailure(const char* reason) { auth_failures_.Add({{"reason", reason}}).Increment(); }

void CoordinatorMetrics::OnStep(const std::string& queue, const v1::MetricPoint& point) {
  if (point.has_step_seconds()) ObservePhase(queue, "total", point.step_seconds());
  if (point.has_forward_backward_seconds()) ObservePhase(queue, "forward_backward", point.forward_backward_seconds());
  if (point.has_collective_seconds()) ObservePhase(queue, "collective", point.collective_seconds());
  if (point.has_optimizer_seconds()) ObservePhase(queue, "optimizer", point.optimizer_seconds());
}

void CoordinatorMetrics::ObservePhase(const std::string& queue, const std::string& phase, double seconds) {
  step_duration_.Add({{"queue", queue}, {"phase", phase}}, StepBuckets()).Observe(seconds);
}

}  // namespace ridgeline
