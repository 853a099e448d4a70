// SPDX-License-Identifier: Apache-2.0
// What may be asked of the state, which events it would take, and its snapshots.
#include <fmt/format.h>
#include <google/protobuf/util/field_mask_util.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/failpoint.h"
#include "common/status_macros.h"
#include "coordinator/state/coordinator_state.h"
#include "coordinator/state/recipe_difference.h"

namespace ridgeline {
namespace {

using google::protobuf::FieldMask;
using google::protobuf::util::FieldMaskUtil;

FieldMask AllBut(const google::protobuf::Descriptor* message, const std::string& name) {
  FieldMask mask;
  for (int i = 0; i < message->field_count(); ++i) {
    if (message->field(i)->name() != name) mask.add_paths(message->field(i)->name());
  }
  return mask;
}

FieldMask MaskOf(std::initializer_list<const char*> names) {
  FieldMask mask;
  for (const char* name : names) mask.add_paths(name);
  return mask;
}

void CopyFields(const google::protobuf::Message& from, const FieldMask& mask, google::protobuf::Message* to) {
  FieldMaskUtil::MergeMessageTo(from, mask, FieldMaskUtil::MergeOptions(), to);
}

}  // namespace

int64_t ParseJobNumber(const std::string& job_id) {
  constexpr std::string_view kPrefix = "job-";
  if (job_id.rfind(kPrefix, 0) != 0) return 0;
  int64_t number = 0;
  const char* end = job_id.data() + job_id.size();
  const auto [stop, error] = std::from_chars(job_id.data() + kPrefix.size(), end, number);
  // The id must be written as we write it: "job-012" is a name.
  if (error != std::errc() || stop != end || number <= 0 || JobId(number) != job_id) return 0;
  return number;
}

const v1::Job* CoordinatorState::FindById(const std::string& job_id) const {
  const auto found = jobs_.find(ParseJobNumber(job_id));
  return found == jobs_.end() ? nullptr : &found->second;
}

v1::Job* CoordinatorState::MutableJob(const std::string& job_id) {
  const auto found = jobs_.find(ParseJobNumber(job_id));
  if (found == jobs_.end()) return nullptr;
  changed_jobs_.insert(found->first);
  return &found->second;
}

const v1::Job* CoordinatorState::FindByRequestId(const std::string& request_id) const {
  const auto found = by_request_id_.find(request_id);
  return found == by_request_id_.end() ? nullptr : &jobs_.at(found->second);
}

absl::StatusOr<const v1::Job*> CoordinatorState::Find(const std::string& id_or_name) const {
  if (const v1::Job* job = FindById(id_or_name)) return job;
  const auto found = newest_by_name_.find(id_or_name);
  if (found != newest_by_name_.end()) return &jobs_.at(found->second);
  return absl::NotFoundError(
      fmt::format("there is no job with the id or name '{}'; `ridgeline list` shows the jobs", id_or_name));
}

const v1::Job* CoordinatorState::JobOnGroup(const std::string& group_id) const {
  const auto found = job_on_group_.find(group_id);
  return found == job_on_group_.end() ? nullptr : FindById(found->second);
}

std::vector<const v1::Job*> CoordinatorState::QueuedJobs() const {
  std::vector<const v1::Job*> queued;
  for (const auto& [number, resources] : active_) {
    const v1::Job& job = jobs_.at(number);
    if (job.state() == v1::QUEUED) queued.push_back(&job);
  }
  return queued;
}

std::vector<const v1::Job*> CoordinatorState::RunningJobs() const {
  std::vector<const v1::Job*> running;
  for (const int64_t number : running_) running.push_back(&jobs_.at(number));
  return running;
}

std::vector<CoordinatorState::ActiveJob> CoordinatorState::ActiveJobs() const {
  std::vector<ActiveJob> active;
  active.reserve(active_.size());
  for (const auto& [number, resources] : active_) active.push_back({number, &jobs_.at(number), &resources});
  return active;
}

absl::Status CoordinatorState::CheckLiveEpoch(const std::string& job_id, int64_t epoch) const {
  const v1::Job* job = FindById(job_id);
  if (job == nullptr) return absl::NotFoundError(fmt::format("there is no job '{}'", job_id));
  const v1::Attempt* live = LiveAttempt(*job);
  if (live != nullptr && (live->epoch() == epoch || Failpoint("state.accept_stale_epoch"))) return absl::OkStatus();
  if (live == nullptr) {
    return absl::FailedPreconditionError(
        fmt::format("attempt {} of {} is over: the job is {}", epoch, job_id, v1::JobState_Name(job->state())));
  }
  return absl::FailedPreconditionError(
      fmt::format("attempt {} of {} is over: attempt {} is live", epoch, job_id, live->epoch()));
}

absl::Status CoordinatorState::CheckHeldBy(const Holder& holder, const std::string& job_id, int64_t epoch) const {
  RETURN_IF_ERROR(CheckLiveEpoch(job_id, epoch));
  const v1::Attempt& live = *LiveAttempt(*FindById(job_id));
  if (live.group_id() == holder.group_id && live.incarnation() == holder.incarnation) return absl::OkStatus();
  return absl::PermissionDeniedError(fmt::format("attempt {} of {} runs on another worker group than '{}' ({})", epoch,
                                                 job_id, holder.group_id, holder.incarnation));
}

absl::Status CoordinatorState::Check(const v1::Event& event) const {
  switch (event.kind_case()) {
    case v1::Event::kJobsSubmitted:
      return CheckSubmitted(event.jobs_submitted());
    case v1::Event::kAttemptStarted:
      return CheckStarted(event.attempt_started());
    case v1::Event::kCheckpointRecorded:
      return CheckLiveEpoch(event.checkpoint_recorded().job_id(), event.checkpoint_recorded().epoch());
    case v1::Event::kAttemptEnded:
      return CheckEnded(event.attempt_ended());
    case v1::Event::kCancelRequested:
      return CheckCancel(event.cancel_requested());
    case v1::Event::kJobRetried:
      return CheckRetry(event.job_retried());
    case v1::Event::kTrialsDecided:
      return CheckTrials(event.trials_decided());
    case v1::Event::kJobChanged:
      return CheckChanged(event.job_changed());
    case v1::Event::kQueueSet:
      return CheckQueue(event.queue_set().queue());
    case v1::Event::kGroupDrained:
      if (!event.group_drained().group_id().empty()) return absl::OkStatus();
      return absl::InvalidArgumentError("no worker group is named");
    case v1::Event::kPreemptRequested:
      return CheckPreempt(event.preempt_requested());
    case v1::Event::kTokenChanged:
      return CheckToken(event.token_changed().token());
    case v1::Event::KIND_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("an event without a kind; a newer version may have written it");
}

absl::Status CoordinatorState::CheckSubmitted(const v1::JobsSubmitted& submitted) const {
  if (submitted.jobs().empty()) return absl::InvalidArgumentError("a submit without jobs");
  if (!submitted.request_id().empty() && by_request_id_.count(submitted.request_id()) > 0) {
    return absl::AlreadyExistsError(fmt::format("request id '{}' is known", submitted.request_id()));
  }
  int64_t number = next_job_number_;
  for (const v1::Job& job : submitted.jobs()) {
    if (job.id() != JobId(number++)) {
      return absl::AlreadyExistsError(fmt::format("job id '{}' is not the next one", job.id()));
    }
    RETURN_IF_ERROR(CheckQueueOf(job));
  }
  return absl::OkStatus();
}

absl::Status CoordinatorState::CheckStarted(const v1::AttemptStarted& started) const {
  const v1::Job* job = FindById(started.job_id());
  if (job == nullptr) return absl::NotFoundError(fmt::format("there is no job '{}'", started.job_id()));
  if (job->state() != v1::QUEUED || IsParent(*job)) {
    return absl::FailedPreconditionError(fmt::format("{} does not wait for a worker group", job->id()));
  }
  if (started.epoch() != NextEpoch(*job)) {
    return absl::FailedPreconditionError(
        fmt::format("{} wants epoch {}, not {}", job->id(), NextEpoch(*job), started.epoch()));
  }
  if (const v1::Job* other = JobOnGroup(started.group_id())) {
    return absl::FailedPreconditionError(fmt::format("group '{}' runs {}", started.group_id(), other->id()));
  }
  return absl::OkStatus();
}

absl::Status CoordinatorState::CheckEnded(const v1::AttemptEnded& ended) const {
  RETURN_IF_ERROR(CheckLiveEpoch(ended.job_id(), ended.epoch()));
  if (ended.outcome() == v1::ATTEMPT_OUTCOME_UNSPECIFIED) {
    return absl::InvalidArgumentError(fmt::format("the end of an attempt of {} has no outcome", ended.job_id()));
  }
  return absl::OkStatus();
}

absl::Status CoordinatorState::CheckCancel(const v1::CancelRequested& cancel) const {
  const v1::Job* job = FindById(cancel.job_id());
  if (job == nullptr) return absl::NotFoundError(fmt::format("there is no job '{}'", cancel.job_id()));
  if (!IsTerminal(job->state())) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("{} is {} and cannot be cancelled any more", job->id(), v1::JobState_Name(job->state())));
}

absl::Status CoordinatorState::CheckRetry(const v1::JobRetried& retried) const {
  const v1::Job* job = FindById(retried.job_id());
  if (job == nullptr) return absl::NotFoundError(fmt::format("there is no job '{}'", retried.job_id()));
  const auto retryable = [](const v1::Job& candidate) {
    return candidate.state() == v1::FAILED || candidate.state() == v1::CANCELLED;
  };
  for (const std::string& child_id : job->child_ids()) {
    if (retryable(*FindById(child_id))) return absl::OkStatus();
  }
  if (!IsParent(*job) && retryable(*job)) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format("{} is {}; only FAILED and CANCELLED jobs can be retried", job->id(),
                                                   v1::JobState_Name(job->state())));
}

const v1::Resources& CoordinatorState::ResourcesWanted(const v1::Job& job) const {
  const auto found = active_.find(ParseJobNumber(job.id()));
  return found == active_.end() ? v1::Resources::default_instance() : found->second;
}

v1::Recipe CoordinatorState::RecipeOf(const v1::Job& job, std::initializer_list<const char*> sections) const {
  const v1::Job* parent = job.has_recipe_difference() ? FindById(job.parent_id()) : nullptr;
  const v1::Recipe& base = parent == nullptr ? job.recipe() : parent->recipe();
  if (parent == nullptr && sections.size() == 0) return base;
  static const FieldMask all_but_sweep = AllBut(v1::Recipe::descriptor(), "sweep");
  v1::Recipe recipe;
  CopyFields(base, sections.size() == 0 ? all_but_sweep : MaskOf(sections), &recipe);
  if (parent != nullptr) ApplyDifference(job.recipe_difference(), &recipe);
  return recipe;
}

v1::Job CoordinatorState::CopyOf(const v1::Job& job, std::initializer_list<const char*> sections) const {
  static const FieldMask all_but_recipe = AllBut(v1::Job::descriptor(), "recipe");
  v1::Job copy;
  CopyFields(job, all_but_recipe, &copy);
  *copy.mutable_recipe() = RecipeOf(job, sections);
  if (!job.has_recipe_difference()) return copy;
  copy.clear_recipe_difference();
  *copy.mutable_labels() = LabelsOf(job);
  return copy;
}

// Children that an older version wrote have a recipe of their own.
void CoordinatorState::ShrinkChild(v1::Job& job) const {
  const v1::Job* parent = FindById(job.parent_id());
  if (parent != nullptr && job.has_recipe()) HoldDifference(parent->recipe(), &job);
}

absl::StatusOr<CoordinatorState> CoordinatorState::FromSnapshot(v1::Snapshot snapshot) {
  CoordinatorState state;
  state.sequence_ = snapshot.sequence();
  state.next_job_number_ = snapshot.next_job_number();
  state.points_.assign(snapshot.points().begin(), snapshot.points().end());
  for (v1::Queue& queue : *snapshot.mutable_queues()) state.queues_[queue.name()] = std::move(queue);
  for (const v1::Token& token : snapshot.tokens()) state.ApplyToken(token);
  state.draining_groups_.insert(snapshot.draining_groups().begin(), snapshot.draining_groups().end());
  for (v1::Job& job : *snapshot.mutable_jobs()) {
    const int64_t number = ParseJobNumber(job.id());
    if (number == 0 || number >= state.next_job_number_) {
      return absl::DataLossError(
          fmt::format("the snapshot at event {} holds the impossible job id '{}'", snapshot.sequence(), job.id()));
    }
    if (job.has_recipe_difference() && state.FindById(job.parent_id()) == nullptr) {
      return absl::DataLossError(fmt::format("the snapshot at event {} holds {} without its parent '{}'",
                                             snapshot.sequence(), job.id(), job.parent_id()));
    }
    v1::Job& held = state.jobs_[number];
    held = std::move(job);
    state.ShrinkChild(held);
    state.IndexJob(number, held);
    state.changed_jobs_.insert(number);
  }
  return state;
}

void CoordinatorState::IndexState(int64_t number, const v1::Job& job) {
  if (IsParent(job)) return;
  running_.erase(number);
  paused_.erase(number);
  if (job.state() == v1::RUNNING) running_.insert(number);
  if (job.state() == v1::PAUSED) paused_.insert(number);
  if (IsTerminal(job.state())) {
    active_.erase(number);
  } else if (active_.count(number) == 0) {
    active_.emplace(number, RecipeOf(job, {"resources"}).resources());
  }
}

void CoordinatorState::IndexJob(int64_t number, const v1::Job& job) {
  IndexState(number, job);
  for (const v1::Attempt& attempt : job.attempts()) IndexUse(QueueOf(job), attempt);
  // All jobs of a sweep carry its request id; the parent, which comes first, stands for it.
  if (!job.request_id().empty() && !Failpoint("state.forget_request_ids"))
    by_request_id_.try_emplace(job.request_id(), number);
  newest_by_name_[job.name()] = number;
  if (const v1::Attempt* live = LiveAttempt(job)) job_on_group_[live->group_id()] = job.id();
}

}  // namespace ridgeline
