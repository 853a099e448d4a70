// SPDX-License-Identifier: Apache-2.0
// What the coordinator does for people: submit, look, cancel, retry. Errors are for people: place, value, remedy.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/rpc/job_view.h"
#include "coordinator/rpc/worker_gateway.h"
#include "coordinator/state/journal.h"
#include "coordinator/state/metric_store.h"
#include "ridgeline/v1/coordinator.pb.h"

namespace ridgeline {

// Points in one GetMetrics answer; clients go on with after_step.
inline constexpr int64_t kMaxMetricPoints = 10'000;

// Thread-safe. The objects it is made of must outlive it.
class JobApi {
 public:
  JobApi(Journal* journal, MetricStore* store, WorkerGateway* gateway, const JobViews* views)
      : journal_(journal), store_(store), gateway_(gateway), views_(views) {}

  // INVALID_ARGUMENT lists everything that is wrong with the recipe; ALREADY_EXISTS if the request_id was used for
  // another recipe; RESOURCE_EXHAUSTED if a sweep would add too much to the state.
  absl::StatusOr<v1::SubmitJobResponse> Submit(const v1::SubmitJobRequest& request);
  absl::StatusOr<v1::Job> Get(const std::string& id_or_name);
  absl::StatusOr<v1::ListJobsResponse> List(const v1::ListJobsRequest& request);
  absl::StatusOr<v1::Job> Cancel(const std::string& id_or_name);
  absl::StatusOr<v1::Job> Retry(const std::string& id_or_name);
  absl::StatusOr<v1::GetMetricsResponse> Metrics(const v1::GetMetricsRequest& request);
  absl::StatusOr<v1::ListPointsResponse> Points(const v1::ListPointsRequest& request);
  absl::StatusOr<v1::ListWorkersResponse> Workers();

  // The job's record alone, without progress.
  absl::StatusOr<v1::Job> Find(const std::string& id_or_name) const;
  // The same, but a sweep's parent is refused: it has no curves or logs of its own.
  absl::StatusOr<v1::Job> FindRunnable(const std::string& id_or_name) const;

 private:
  absl::StatusOr<v1::Job> Answer(const std::string& job_id) const;
  v1::Job AnswerWithoutRecipe(const std::string& job_id) const;
  absl::StatusOr<v1::SubmitJobResponse> AnswerSubmit(const std::string& job_id, bool existed) const;

  Journal* const journal_;
  MetricStore* const store_;
  WorkerGateway* const gateway_;
  const JobViews* const views_;
};

}  // namespace ridgeline
