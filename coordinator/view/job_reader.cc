// SPDX-License-Identifier: Apache-2.0
#include "coordinator/view/job_reader.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "common/status_macros.h"
#include "coordinator/view/job_pages.h"
#include "frontier/pareto.h"

namespace ridgeline {
namespace {

constexpr int64_t kMaxChildrenBytes = int64_t{1} << 20;  // Of a submit's answer.

// In the order of their numbers, from behind the token on.
absl::StatusOr<v1::ListPointsResponse> PageOfPoints(std::vector<v1::FrontierPoint> points,
                                                    const v1::ListPointsRequest& request) {
  int64_t first = 0;
  const bool is_token = request.page_token().empty() || absl::SimpleAtoi(request.page_token(), &first);
  if (!is_token || first < 0) return absl::InvalidArgumentError("page_token is not the next_page_token of an answer");
  if (request.page_size() < 0) return absl::InvalidArgumentError("page_size is negative; 0 takes what fits");
  v1::ListPointsResponse response;
  int64_t bytes = 0;
  for (size_t i = static_cast<size_t>(first); i < points.size(); ++i) {
    bytes += static_cast<int64_t>(points[i].ByteSizeLong());
    const bool is_full = request.page_size() > 0 && response.points_size() >= request.page_size();
    if (response.points_size() > 0 && (is_full || bytes > kMaxAnswerBytes)) {
      response.set_next_page_token(fmt::format("{}", i));
      break;
    }
    *response.add_points() = std::move(points[i]);
  }
  return response;
}

}  // namespace

absl::StatusOr<v1::SubmitJobResponse> JobReader::Submitted(const std::string& job_id) const {
  v1::SubmitJobResponse response;
  ASSIGN_OR_RETURN(*response.mutable_job(), Get(job_id));
  int64_t bytes = 0;
  for (const std::string& child_id : response.job().child_ids()) {
    *response.add_children() = AnswerWithoutRecipe(child_id);
    bytes += static_cast<int64_t>(response.children().rbegin()->ByteSizeLong());
    if (bytes > kMaxChildrenBytes) break;
  }
  return response;
}

absl::StatusOr<v1::Job> JobReader::Find(const std::string& id_or_name) const {
  return journal_->Read([&](const CoordinatorState& state) -> absl::StatusOr<v1::Job> {
    ASSIGN_OR_RETURN(const v1::Job* job, state.Find(id_or_name));
    return state.CopyOf(*job);
  });
}

absl::StatusOr<v1::JobState> JobReader::StateOf(const std::string& job_id) const {
  return journal_->Read([&](const CoordinatorState& state) -> absl::StatusOr<v1::JobState> {
    ASSIGN_OR_RETURN(const v1::Job* job, state.Find(job_id));
    return job->state();
  });
}

absl::StatusOr<v1::Job> JobReader::FindRunnable(const std::string& id_or_name) const {
  ASSIGN_OR_RETURN(v1::Job job, Find(id_or_name));
  if (!IsParent(job)) return job;
  return absl::FailedPreconditionError(
      fmt::format("{} ('{}') is a sweep, which has no curves or logs of its own; ask for one of its {} children, for "
                  "instance {}",
                  job.id(), job.name(), job.child_ids_size(), job.child_ids(0)));
}

absl::StatusOr<v1::Job> JobReader::Get(const std::string& id_or_name) const {
  ASSIGN_OR_RETURN(v1::Job job, Find(id_or_name));
  views_->Complete(&job);
  return job;
}

v1::Job JobReader::AnswerWithoutRecipe(const std::string& job_id) const {
  v1::Job job = journal_->Read(
      [&](const CoordinatorState& state) { return state.CopyOf(*state.FindById(job_id), kProgressSections); });
  views_->Complete(&job);
  job.clear_recipe();
  return job;
}

absl::StatusOr<v1::ListJobsResponse> JobReader::List(const v1::ListJobsRequest& request) const {
  v1::ListJobsResponse response;
  RETURN_IF_ERROR(journal_->Read([&](const CoordinatorState& state) { return CopyPage(state, request, &response); }));
  for (v1::Job& job : *response.mutable_jobs()) {
    views_->Complete(&job);
    job.mutable_wait()->clear_ahead();  // Twenty ids for each of thousands of jobs; `get` has them.
    if (job.wait().text().empty()) job.clear_wait();
    if (request.omit_recipes()) job.clear_recipe();
  }
  return response;
}

absl::StatusOr<v1::GetMetricsResponse> JobReader::Metrics(const v1::GetMetricsRequest& request) const {
  ASSIGN_OR_RETURN(const v1::Job job, FindRunnable(request.job()));
  ASSIGN_OR_RETURN(const std::vector<v1::MetricPoint> points,
                   store_->ReadMetrics(job.id(), request.after_step(), kMaxMetricPoints));
  v1::GetMetricsResponse response;
  int64_t bytes = 0;
  for (const v1::MetricPoint& point : points) {
    bytes += static_cast<int64_t>(point.ByteSizeLong());
    if (bytes > kMaxAnswerBytes && response.points_size() > 0) break;
    *response.add_points() = point;
  }
  return response;
}

absl::StatusOr<v1::ListPointsResponse> JobReader::Points(const v1::ListPointsRequest& request) const {
  std::vector<v1::FrontierPoint> points;
  RETURN_IF_ERROR(journal_->Read([&](const CoordinatorState& state) -> absl::Status {
    std::string wanted_id;
    if (!request.job().empty()) {
      ASSIGN_OR_RETURN(const v1::Job* wanted, state.Find(request.job()));
      wanted_id = wanted->id();
    }
    for (const v1::FrontierPoint& point : state.points()) {
      const v1::Job* job = state.FindById(point.job_id());
      if (job == nullptr || !MatchesSelector(state, *job, request.selector())) continue;
      if (wanted_id.empty() || job->id() == wanted_id || job->parent_id() == wanted_id) points.push_back(point);
    }
    return absl::OkStatus();
  }));
  MarkPareto(&points);
  return PageOfPoints(std::move(points), request);
}

absl::StatusOr<v1::ListWorkersResponse> JobReader::Workers() const {
  v1::ListWorkersResponse response;
  for (const Fleet::GroupView& view : fleet_->Groups()) *response.add_groups() = view.group;
  return response;
}

}  // namespace ridgeline
