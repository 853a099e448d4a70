// SPDX-License-Identifier: Apache-2.0
#include "coordinator/rpc/job_api.h"

#include <fmt/format.h>
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "coordinator/rpc/jobs_of_recipe.h"
#include "frontier/pareto.h"
#include "recipes/recipe_reader.h"

namespace ridgeline {
namespace {

using Labels = google::protobuf::Map<std::string, std::string>;
using MaybeEvent = absl::StatusOr<std::optional<v1::Event>>;

constexpr size_t kMaxRequestIdBytes = 200;
constexpr size_t kMaxListedProblems = 20;
constexpr int64_t kMaxAnswerBytes = int64_t{48} << 20;  // Clients take 64.

bool Matches(const CoordinatorState& state, const v1::Job& job, const Labels& selector) {
  if (selector.empty()) return true;
  const Labels labels = state.RecipeOf(job, {"labels"}).labels();
  return std::all_of(selector.begin(), selector.end(), [&](const auto& wanted) {
    const auto found = labels.find(wanted.first);
    return found != labels.end() && found->second == wanted.second;
  });
}

absl::Status CheckRecipe(const v1::Recipe& recipe) {
  const std::vector<RecipeProblem> problems = ValidateRecipe(recipe);
  if (problems.empty()) return absl::OkStatus();
  std::string message = fmt::format("the recipe has {} problem{}:", problems.size(), problems.size() == 1 ? "" : "s");
  for (size_t i = 0; i < std::min(problems.size(), kMaxListedProblems); ++i) message += "\n" + problems[i].ToString();
  if (problems.size() > kMaxListedProblems)
    message += fmt::format("\nand {} more", problems.size() - kMaxListedProblems);
  return absl::InvalidArgumentError(message);
}

// Numbers the jobs from the next free one on; the first is the parent if there are several.
void GiveIds(int64_t next_number, bool is_sweep, v1::JobsSubmitted* submitted) {
  for (v1::Job& job : *submitted->mutable_jobs()) job.set_id(JobId(next_number++));
  if (!is_sweep) return;
  v1::Job& parent = *submitted->mutable_jobs(0);
  parent.clear_child_ids();
  for (int i = 1; i < submitted->jobs_size(); ++i) {
    submitted->mutable_jobs(i)->set_parent_id(parent.id());
    parent.add_child_ids(submitted->jobs(i).id());
  }
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

absl::Status CheckSameRecipe(const v1::Job& known, const v1::Job& submitted, const std::string& request_id) {
  if (google::protobuf::util::MessageDifferencer::Equals(known.recipe(), submitted.recipe())) return absl::OkStatus();
  return absl::AlreadyExistsError(
      fmt::format("request id '{}' was used for {} ('{}') with a different recipe; choose another --request-id, or "
                  "submit the same recipe again",
                  request_id, known.id(), known.name()));
}

}  // namespace

absl::StatusOr<v1::SubmitJobResponse> JobApi::Submit(const v1::SubmitJobRequest& request) {
  if (request.request_id().size() > kMaxRequestIdBytes) {
    return absl::InvalidArgumentError(fmt::format("the request id has {} bytes; at most {} are allowed",
                                                  request.request_id().size(), kMaxRequestIdBytes));
  }
  RETURN_IF_ERROR(CheckRecipe(request.recipe()));
  ASSIGN_OR_RETURN(v1::JobsSubmitted submitted, JobsOfRecipe(request.recipe()));
  submitted.set_request_id(request.request_id());
  std::string job_id;
  bool existed = false;
  RETURN_IF_ERROR(journal_->Commit([&](const CoordinatorState& state) -> MaybeEvent {
    const v1::Job* known = request.request_id().empty() ? nullptr : state.FindByRequestId(request.request_id());
    if (known != nullptr) {
      existed = true;
      job_id = known->id();
      RETURN_IF_ERROR(CheckSameRecipe(*known, submitted.jobs(0), request.request_id()));
      return std::nullopt;
    }
    GiveIds(state.next_job_number(), request.recipe().has_sweep(), &submitted);
    job_id = submitted.jobs(0).id();
    v1::Event event;
    *event.mutable_jobs_submitted() = std::move(submitted);
    return event;
  }));
  return AnswerSubmit(job_id, existed);
}

absl::StatusOr<v1::SubmitJobResponse> JobApi::AnswerSubmit(const std::string& job_id, bool existed) const {
  v1::SubmitJobResponse response;
  response.set_existed(existed);
  ASSIGN_OR_RETURN(*response.mutable_job(), Answer(job_id));
  for (const std::string& child_id : response.job().child_ids()) {
    *response.add_children() = AnswerWithoutRecipe(child_id);
  }
  return response;
}

absl::StatusOr<v1::Job> JobApi::Find(const std::string& id_or_name) const {
  return journal_->Read([&](const CoordinatorState& state) -> absl::StatusOr<v1::Job> {
    ASSIGN_OR_RETURN(const v1::Job* job, state.Find(id_or_name));
    return state.CopyOf(*job);
  });
}

absl::StatusOr<v1::Job> JobApi::FindRunnable(const std::string& id_or_name) const {
  ASSIGN_OR_RETURN(v1::Job job, Find(id_or_name));
  if (!IsParent(job)) return job;
  return absl::FailedPreconditionError(
      fmt::format("{} ('{}') is a sweep, which has no curves or logs of its own; ask for one of its {} children, for "
                  "instance {}",
                  job.id(), job.name(), job.child_ids_size(), job.child_ids(0)));
}

absl::StatusOr<v1::Job> JobApi::Answer(const std::string& job_id) const {
  ASSIGN_OR_RETURN(v1::Job job, Find(job_id));
  views_->Complete(&job);
  return job;
}

v1::Job JobApi::AnswerWithoutRecipe(const std::string& job_id) const {
  v1::Job job = journal_->Read(
      [&](const CoordinatorState& state) { return state.CopyOf(*state.FindById(job_id), kProgressSections); });
  views_->Complete(&job);
  job.clear_recipe();
  return job;
}

absl::StatusOr<v1::Job> JobApi::Get(const std::string& id_or_name) { return Answer(id_or_name); }

absl::StatusOr<v1::ListJobsResponse> JobApi::List(const v1::ListJobsRequest& request) {
  v1::ListJobsResponse response;
  RETURN_IF_ERROR(
      journal_->Read([&](const CoordinatorState& state) { return CopySelected(state, request, &response); }));
  for (v1::Job& job : *response.mutable_jobs()) {
    views_->Complete(&job);
    if (request.omit_recipes()) job.clear_recipe();
  }
  return response;
}

absl::StatusOr<v1::Job> JobApi::Cancel(const std::string& id_or_name) {
  std::string job_id;
  RETURN_IF_ERROR(journal_->Commit([&](const CoordinatorState& state) -> MaybeEvent {
    ASSIGN_OR_RETURN(const v1::Job* job, state.Find(id_or_name));
    job_id = job->id();
    v1::Event event;
    event.mutable_cancel_requested()->set_job_id(job_id);
    return event;
  }));
  return Answer(job_id);
}

absl::StatusOr<v1::Job> JobApi::Retry(const std::string& id_or_name) {
  std::string job_id;
  RETURN_IF_ERROR(journal_->Commit([&](const CoordinatorState& state) -> MaybeEvent {
    ASSIGN_OR_RETURN(const v1::Job* job, state.Find(id_or_name));
    job_id = job->id();
    v1::Event event;
    event.mutable_job_retried()->set_job_id(job_id);
    return event;
  }));
  return Answer(job_id);
}

absl::StatusOr<v1::GetMetricsResponse> JobApi::Metrics(const v1::GetMetricsRequest& request) {
  ASSIGN_OR_RETURN(const v1::Job job, FindRunnable(request.job()));
  ASSIGN_OR_RETURN(const std::vector<v1::MetricPoint> points,
                   store_->ReadMetrics(job.id(), request.after_step(), kMaxMetricPoints));
  v1::GetMetricsResponse response;
  response.mutable_points()->Add(points.begin(), points.end());
  return response;
}

absl::StatusOr<v1::ListPointsResponse> JobApi::Points(const v1::ListPointsRequest& request) {
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

absl::StatusOr<v1::ListWorkersResponse> JobApi::Workers() {
  v1::ListWorkersResponse response;
  for (const WorkerGateway::GroupView& view : gateway_->Groups()) *response.add_groups() = view.group;
  return response;
}

}  // namespace ridgeline
