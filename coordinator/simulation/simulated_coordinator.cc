// SPDX-License-Identifier: Apache-2.0
#include "coordinator/simulation/simulated_coordinator.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ridgeline::simulation {
namespace {

constexpr int64_t kSnapshotEveryEvents = 10;  // Often, so that crashes meet them.
constexpr int64_t kSnapshotSliceRows = 2;     // In several slices, with commits between them.

std::string Serialized(const CoordinatorState& state) {
  v1::Snapshot snapshot;
  snapshot.set_sequence(state.sequence());
  snapshot.set_next_job_number(state.next_job_number());
  for (const auto& [number, job] : state.jobs()) *snapshot.add_jobs() = job;
  for (const v1::FrontierPoint& point : state.points()) *snapshot.add_points() = point;
  for (const auto& [name, queue] : state.queues()) *snapshot.add_queues() = queue;
  for (const std::string& group_id : state.draining_groups()) snapshot.add_draining_groups(group_id);
  return snapshot.ShortDebugString();
}

}  // namespace

void Record::Note(int64_t now_ms, const std::string& what) {
  history.push_back(fmt::format("{:>8.3f} s  {}", static_cast<double>(now_ms) / 1e3, what));
}

void Record::Violated(int64_t now_ms, const std::string& what) {
  Note(now_ms, "VIOLATED: " + what);
  violations.push_back(history.back());
}

bool SimulatedCoordinator::Start() {
  JournalOptions options;
  options.path = "journal.db";
  options.clock = clock_;
  options.snapshot_every_events = kSnapshotEveryEvents;
  options.snapshot_slice_rows = kSnapshotSliceRows;
  options.observer = this;
  options.writes_on_callers_thread = true;
  options.vfs = disk_->name();
  absl::StatusOr<std::unique_ptr<Journal>> journal = Journal::Open(options);
  if (!journal.ok()) {
    if (absl::IsDataLoss(journal.status()))
      Violated("the journal is damaged: " + std::string(journal.status().message()));
    return false;
  }
  absl::StatusOr<std::unique_ptr<MetricStore>> store = MetricStore::Open("metrics.db", disk_->name());
  if (!store.ok()) {
    if (absl::IsDataLoss(store.status())) Violated("metrics are damaged: " + std::string(store.status().message()));
    return false;
  }
  journal_ = *std::move(journal);
  store_ = *std::move(store);
  CheckReopened();
  fleet_ = std::make_unique<Fleet>(FleetOptions{.heartbeat_interval_ms = 1'000, .lease_ms = lease_ms_, .clock = clock_},
                                   journal_.get(), store_.get(), this);
  controller_ = std::make_unique<Controller>(journal_.get(), store_.get(), fleet_.get(), clock_, nullptr);
  actions_ = std::make_unique<JobActions>(journal_.get());
  ++generation_;
  record_->Note(clock_->MonotonicMs(), fmt::format("coordinator starts at event {}", last_sequence_));
  return true;
}

void SimulatedCoordinator::Kill() {
  if (journal_ == nullptr) return;
  last_state_ = journal_->Read([](const CoordinatorState& state) { return Serialized(state); });
  actions_.reset();
  controller_.reset();
  fleet_.reset();
  store_.reset();
  journal_.reset();
}

// What was applied before the crash was durable: all of it is there again, and nothing of it is different.
void SimulatedCoordinator::CheckReopened() {
  const auto [sequence, state] =
      journal_->Read([](const CoordinatorState& read) { return std::make_pair(read.sequence(), Serialized(read)); });
  if (sequence < last_sequence_)
    Violated(fmt::format("events {} to {} are gone after a restart", sequence + 1, last_sequence_));
  if (sequence == last_sequence_ && !last_state_.empty() && state != last_state_)
    Violated(fmt::format("the state at event {} is another one after a restart:\n{}\nwas\n{}", sequence, state,
                         last_state_));
  last_sequence_ = sequence;
  last_state_ = state;
  is_checked_ = false;
}

void SimulatedCoordinator::OnApplied(const CoordinatorState& state, const v1::Event& event,
                                     const std::vector<CoordinatorState::Transition>& transitions) {
  record_->Note(clock_->MonotonicMs(), fmt::format("event {}", event.ShortDebugString().substr(0, 300)));
  for (const CoordinatorState::Transition& transition : transitions) {
    const bool was_over = IsTerminal(transition.from);
    if (was_over && !event.has_job_retried() && !IsParent(*state.FindById(transition.job_id)))
      Violated(fmt::format("{} had ended and goes from {} to {}", transition.job_id, v1::JobState_Name(transition.from),
                           v1::JobState_Name(transition.to)));
  }
  CheckEpoch(state, event);
  if (event.sequence() != last_sequence_ + 1)
    Violated(fmt::format("event {} follows event {}", event.sequence(), last_sequence_));
  last_sequence_ = event.sequence();
  is_checked_ = false;
}

// Only the newest attempt may write.
void SimulatedCoordinator::CheckEpoch(const CoordinatorState& state, const v1::Event& event) {
  const bool is_checkpoint = event.has_checkpoint_recorded();
  if (!is_checkpoint && !event.has_attempt_ended()) return;
  const std::string& job_id = is_checkpoint ? event.checkpoint_recorded().job_id() : event.attempt_ended().job_id();
  const int64_t epoch = is_checkpoint ? event.checkpoint_recorded().epoch() : event.attempt_ended().epoch();
  const v1::Job* job = state.FindById(job_id);
  if (job == nullptr || job->attempts().empty() || job->attempts().rbegin()->epoch() != epoch)
    Violated(fmt::format("attempt {} of {} wrote, and is not the newest", epoch, job_id));
}

void SimulatedCoordinator::CheckInvariants() {
  if (std::exchange(is_checked_, true)) return;
  journal_->Read([&](const CoordinatorState& state) {
    std::set<std::string> busy_groups;
    for (const auto& [number, job] : state.jobs()) CheckJob(job, &busy_groups);
    CheckPromises(state);
    return true;
  });
}

void SimulatedCoordinator::CheckJob(const v1::Job& job, std::set<std::string>* busy_groups) {
  int64_t epoch = 0;
  for (const v1::Attempt& attempt : job.attempts()) {
    const bool is_last = &attempt == &*job.attempts().rbegin();
    if (attempt.epoch() <= epoch) Violated(fmt::format("{}: epoch {} after {}", job.id(), attempt.epoch(), epoch));
    epoch = attempt.epoch();
    if (attempt.outcome() == v1::ATTEMPT_OUTCOME_UNSPECIFIED && !is_last)
      Violated(fmt::format("{}: attempt {} is live beside a later one", job.id(), epoch));
    if (attempt.end_unix_ms() != 0 && attempt.end_unix_ms() < attempt.start_unix_ms())
      Violated(fmt::format("{}: attempt {} ended before it began", job.id(), epoch));
  }
  const v1::Attempt* live = LiveAttempt(job);
  if (!IsParent(job) && (live != nullptr) != (job.state() == v1::RUNNING))
    Violated(fmt::format("{} is {} {} a live attempt", job.id(), v1::JobState_Name(job.state()),
                         live != nullptr ? "with" : "without"));
  if (live == nullptr) return;
  if (!busy_groups->insert(live->group_id()).second)
    Violated(fmt::format("two jobs are live on group '{}'", live->group_id()));
}

void SimulatedCoordinator::CheckPromises(const CoordinatorState& state) {
  std::map<std::string, int> by_request;
  for (const auto& [number, job] : state.jobs()) {
    if (!job.request_id().empty() && job.parent_id().empty()) ++by_request[job.request_id()];
  }
  for (const auto& [request_id, job_id] : promised_jobs_) {
    const v1::Job* job = state.FindByRequestId(request_id);
    if (job == nullptr || job->id() != job_id)
      Violated(fmt::format("{} was acknowledged for request '{}' and is not there", job_id, request_id));
  }
  for (const auto& [request_id, count] : by_request)
    if (count > 1) Violated(fmt::format("request '{}' made {} jobs", request_id, count));
  for (const auto& [job_id, epoch] : promised_ends_) {
    const v1::Job* job = state.FindById(job_id);
    const v1::Attempt* live = job == nullptr ? nullptr : LiveAttempt(*job);
    if (job == nullptr || (live != nullptr && live->epoch() == epoch))
      Violated(fmt::format("attempt {} of {} is live, though its result was acknowledged", epoch, job_id));
  }
  for (const auto& [job_id, step] : promised_steps_) {
    const v1::Job* job = state.FindById(job_id);
    if (job == nullptr || job->last_checkpoint().step() < step)
      Violated(fmt::format("the checkpoint of {} at step {} was acknowledged and is not there", job_id, step));
  }
}

void SimulatedCoordinator::PromiseJob(const std::string& request_id, const std::string& job_id) {
  is_checked_ = false;
  const auto [entry, is_new] = promised_jobs_.emplace(request_id, job_id);
  if (!is_new && entry->second != job_id)
    Violated(fmt::format("request '{}' was answered with {} and then with {}", request_id, entry->second, job_id));
}

void SimulatedCoordinator::PromiseEnded(const std::string& job_id, int64_t epoch) {
  promised_ends_.emplace(job_id, epoch);
  is_checked_ = false;
}

void SimulatedCoordinator::PromiseCheckpoint(const std::string& job_id, int64_t step) {
  is_checked_ = false;
  promised_steps_[job_id] = std::max(promised_steps_[job_id], step);
}

}  // namespace ridgeline::simulation
