// SPDX-License-Identifier: Apache-2.0
// What people look at: jobs, curves, frontier points, worker groups. Errors are for people: place, value, remedy.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/fleet/fleet.h"
#include "coordinator/state/journal.h"
#include "coordinator/state/metric_store.h"
#include "coordinator/view/job_views.h"
#include "ridgeline/v1/coordinator.pb.h"

namespace ridgeline {

// Points in one GetMetrics answer, fewer where they are large; clients go on with after_step until there are none.
inline constexpr int64_t kMaxMetricPoints = 10'000;

// Thread-safe. The objects it is made of must outlive it.
class JobReader {
 public:
  JobReader(const Journal* journal, MetricStore* store, const Fleet* fleet, const JobViews* views)
      : journal_(journal), store_(store), fleet_(fleet), views_(views) {}

  absl::StatusOr<v1::Job> Get(const std::string& id_or_name) const;
  absl::StatusOr<v1::ListJobsResponse> List(const v1::ListJobsRequest& request) const;
  absl::StatusOr<v1::GetMetricsResponse> Metrics(const v1::GetMetricsRequest& request) const;
  absl::StatusOr<v1::ListPointsResponse> Points(const v1::ListPointsRequest& request) const;
  absl::StatusOr<v1::ListWorkersResponse> Workers() const;
  // The job and, of a sweep, its first children: as many as one answer should hold. child_ids has them all.
  absl::StatusOr<v1::SubmitJobResponse> Submitted(const std::string& job_id) const;

  // The job's record alone, without progress.
  absl::StatusOr<v1::Job> Find(const std::string& id_or_name) const;
  absl::StatusOr<v1::JobState> StateOf(const std::string& job_id) const;
  // As Find, but a sweep's parent is refused: it has no curves or logs of its own.
  absl::StatusOr<v1::Job> FindRunnable(const std::string& id_or_name) const;

 private:
  v1::Job AnswerWithoutRecipe(const std::string& job_id) const;

  const Journal* const journal_;
  MetricStore* const store_;
  const Fleet* const fleet_;
  const JobViews* const views_;
};

}  // namespace ridgeline
