// SPDX-License-Identifier: Apache-2.0
#include "coordinator/control/job_actions.h"

#include <fmt/format.h>
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "coordinator/control/access.h"
#include "coordinator/control/jobs_of_recipe.h"
#include "recipes/recipe_reader.h"

namespace ridgeline {
namespace {

using MaybeEvent = absl::StatusOr<std::optional<v1::Event>>;

constexpr size_t kMaxRequestIdBytes = 200;
constexpr size_t kMaxListedProblems = 20;

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

absl::Status CheckSameRecipe(const v1::Job& known, const v1::Job& submitted, const std::string& request_id) {
  if (google::protobuf::util::MessageDifferencer::Equals(known.recipe(), submitted.recipe())) return absl::OkStatus();
  return absl::AlreadyExistsError(
      fmt::format("request id '{}' was used for {} ('{}') with a different recipe; choose another --request-id, or "
                  "submit the same recipe again",
                  request_id, known.id(), known.name()));
}

// By the rules of a recipe that sets the same.
absl::Status CheckChange(const v1::ChangeJobRequest& request) {
  v1::Recipe recipe;
  if (request.has_priority()) recipe.set_priority(request.priority());
  *recipe.mutable_labels() = request.labels();
  for (const RecipeProblem& problem : ValidateRecipe(recipe)) {
    if (problem.key.rfind("priority", 0) == 0 || problem.key.rfind("labels", 0) == 0)
      return absl::InvalidArgumentError(problem.ToString());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SubmittedJob> JobActions::Submit(const v1::SubmitJobRequest& request, const Principal& caller) {
  if (request.request_id().size() > kMaxRequestIdBytes) {
    return absl::InvalidArgumentError(fmt::format("the request id has {} bytes; at most {} are allowed",
                                                  request.request_id().size(), kMaxRequestIdBytes));
  }
  RETURN_IF_ERROR(CheckRecipe(request.recipe()));
  ASSIGN_OR_RETURN(v1::JobsSubmitted submitted, JobsOfRecipe(request.recipe()));
  submitted.set_request_id(request.request_id());
  for (v1::Job& job : *submitted.mutable_jobs()) job.set_owner(caller.name);
  SubmittedJob answer;
  RETURN_IF_ERROR(journal_->Commit([&](const CoordinatorState& state) -> MaybeEvent {
    const v1::Job* known = request.request_id().empty() ? nullptr : state.FindByRequestId(request.request_id());
    if (known != nullptr) {
      answer.existed = true;
      answer.job_id = known->id();
      RETURN_IF_ERROR(CheckMayChange(caller, *known));
      RETURN_IF_ERROR(CheckSameRecipe(*known, submitted.jobs(0), request.request_id()));
      return std::nullopt;
    }
    GiveIds(state.next_job_number(), request.recipe().has_sweep(), &submitted);
    answer.job_id = submitted.jobs(0).id();
    v1::Event event;
    *event.mutable_actor() = ActorOf(caller);
    *event.mutable_jobs_submitted() = std::move(submitted);
    return event;
  }));
  return answer;
}

absl::StatusOr<std::string> JobActions::Change(const v1::ChangeJobRequest& request, const Principal& caller) {
  RETURN_IF_ERROR(CheckChange(request));
  std::string job_id;
  RETURN_IF_ERROR(journal_->Commit([&](const CoordinatorState& state) -> MaybeEvent {
    ASSIGN_OR_RETURN(const v1::Job* job, state.Find(request.job()));
    RETURN_IF_ERROR(CheckMayChange(caller, *job));
    job_id = job->id();
    v1::Event event;
    *event.mutable_actor() = ActorOf(caller);
    v1::JobChanged& changed = *event.mutable_job_changed();
    changed.set_job_id(job_id);
    if (request.has_priority()) changed.set_priority(request.priority());
    if (request.has_paused()) changed.set_paused(request.paused());
    *changed.mutable_labels() = request.labels();
    return event;
  }));
  return job_id;
}

absl::StatusOr<std::string> JobActions::Cancel(const std::string& id_or_name, const Principal& caller) {
  std::string job_id;
  RETURN_IF_ERROR(journal_->Commit([&](const CoordinatorState& state) -> MaybeEvent {
    ASSIGN_OR_RETURN(const v1::Job* job, state.Find(id_or_name));
    RETURN_IF_ERROR(CheckMayChange(caller, *job));
    job_id = job->id();
    v1::Event event;
    *event.mutable_actor() = ActorOf(caller);
    event.mutable_cancel_requested()->set_job_id(job_id);
    return event;
  }));
  return job_id;
}

absl::StatusOr<std::string> JobActions::Retry(const std::string& id_or_name, const Principal& caller) {
  std::string job_id;
  RETURN_IF_ERROR(journal_->Commit([&](const CoordinatorState& state) -> MaybeEvent {
    ASSIGN_OR_RETURN(const v1::Job* job, state.Find(id_or_name));
    RETURN_IF_ERROR(CheckMayChange(caller, *job));
    job_id = job->id();
    v1::Event event;
    *event.mutable_actor() = ActorOf(caller);
    event.mutable_job_retried()->set_job_id(job_id);
    return event;
  }));
  return job_id;
}

}  // namespace ridgeline
