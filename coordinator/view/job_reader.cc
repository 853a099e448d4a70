// SPDX-License-Identifier: Apache-2.0
#include "coordinator/view/job_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "frontier/pareto.h"

namespace ridgeline {
namespace {

using Labels = google::protobuf::Map<std::string, std::string>;

constexpr int64_t kMaxAnswerBytes = int64_t{48} << 20;  // Clients take 64.

bool Matches(const CoordinatorState& state, const v1::Job& job, const Labels& selector) {
  if (selector.empty()) return true;
  const Labels labels = state.LabelsOf(job);
  return std::all_of(selector.begin(), selector.end(), [&](const auto& wanted) {
    const auto found = labels.find(wanted.first);
    return found != labels.end() && found->second == wanted.second;
  });
}

absl::Status CopySelected(const CoordinatorState& state, const v1::ListJobsRequest& request,
                          v1::ListJobsResponse* response) {
  std::string parent_id;
  if (!request.parent_id().empty()) {
    ASSIGN_OR_RETURN(const v1::Job* parent, state.Find(request.parent_id()));
    parent_id = parent->id();
  }
  const std::set<int> states(request.states().begin(), request.states().end());
  int64_t bytes = 0;
  for (const auto& [number, job] : state.jobs()) {
    if (!states.empty() && states.count(job.state()) == 0) continue;
    if (!parent_id.empty() && job.parent_id() != parent_id) continue;
    if (!request.owner().empty() && job.owner() != request.owner()) continue;
    if (!Matches(state, job, request.selector())) continue;
    v1::Job& copy = *response->add_jobs();
    copy = request.omit_recipes() ? state.CopyOf(job, kProgressSections) : state.CopyOf(job);
    bytes += static_cast<int64_t>(copy.ByteSizeLong());
    if (bytes <= kMaxAnswerBytes) continue;
    return absl::ResourceExhaustedError(
        fmt::format("{} jobs already take more than {} MiB, the limit of one answer; ask for the jobs of one sweep or "
                    "state, or for "
                    "a table, which leaves recipes out",
                    response->jobs_size(), kMaxAnswerBytes >> 20));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::SubmitJobResponse> JobReader::Submitted(const std::string& job_id) const {
  v1::SubmitJobResponse response;
  ASSIGN_OR_RETURN(*response.mutable_job(), Get(job_id));
  for (const std::string& child_id : response.job().child_ids()) {
    *response.add_children() = AnswerWithoutRecipe(child_id);
  }
  return response;
}

absl::StatusOr<v1::Job> JobReader::Find(const std::string& id_or_name) const {
  return journal_->Read([&](const CoordinatorState& state) -> absl::StatusOr<v1::Job> {
    ASSIGN_OR_RETURN(const v1::Job* job, state.Find(id_or_name));
    return state.CopyOf(*job);
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
  RETURN_IF_ERROR(
      journal_->Read([&](const CoordinatorState& state) { return CopySelected(state, request, &response); }));
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
  response.mutable_points()->Add(points.begin(), points.end());
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
      if (job == nullptr || !Matches(state, *job, request.selector())) continue;
      if (wanted_id.empty() || job->id() == wanted_id || job->parent_id() == wanted_id) points.push_back(point);
    }
    return absl::OkStatus();
  }));
  MarkPareto(&points);
  v1::ListPointsResponse response;
  response.mutable_points()->Add(points.begin(), points.end());
  return response;
}

absl::StatusOr<v1::ListWorkersResponse> JobReader::Workers() const {
  v1::ListWorkersResponse response;
  for (const Fleet::GroupView& view : fleet_->Groups()) *response.add_groups() = view.group;
  return response;
}

}  // namespace ridgeline
