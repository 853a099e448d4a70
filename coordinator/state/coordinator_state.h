// SPDX-License-Identifier: Apache-2.0
// What the coordinator knows, as a pure function of its journal: jobs, attempts, checkpoints, frontier points, queues,
// tokens.
//
// Words: a *job* is what people submit; a *parent* is a sweep's job, which never runs itself; an *attempt* is one
// run of a job on a worker group, numbered by *epoch* from 1; it is *live* until an event ends it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/job_states.h"
#include "ridgeline/v1/journal.pb.h"

namespace ridgeline {

bool IsParent(const v1::Job& job);
std::string JobId(int64_t number);
// 12 for "job-12"; 0 for anything else.
int64_t ParseJobNumber(const std::string& job_id);
// The attempt that has not ended, or null.
const v1::Attempt* LiveAttempt(const v1::Job& job);
// Of the attempt that would start next.
int64_t NextEpoch(const v1::Job& job);
// How long a job waits after an attempt that found no room; 0 if it need not wait now. Bounded, so that a wall clock
// that jumps back holds up nobody for longer.
int64_t NoRoomWaitMs(const v1::Job& job, int64_t now_unix_ms);

inline constexpr char kDefaultQueue[] = "default";
// What the job waits in; of an older store the default queue.
std::string QueueOf(const v1::Job& job);
// Over which max_rank_hours is counted.
double PeriodHours(const v1::Queue& queue);
// What the job's attempts took, without those that found no room, since it last ran into its time limit.
int64_t TimeUsedMs(const v1::Job& job, int64_t now_unix_ms);
// INVALID_ARGUMENT for a weight or limit that no queue can have.
absl::Status CheckQueue(const v1::Queue& queue);
// Of resources.time_limit; 0: none.
int64_t TimeLimitMs(const v1::Resources& resources);

// A trial that came to its rung, about which nothing is decided yet.
bool WaitsAtRung(const v1::Job& job);
// Its sweep decided so, nobody cancelled it.
bool WasStoppedEarly(const v1::Job& job);

// No clock, no I/O, no threads: the same events give the same state. The Journal owns it and guards it.
class CoordinatorState {
 public:
  // A job went from one state to another; `from` is JOB_STATE_UNSPECIFIED for a new job.
  struct Transition {
    std::string job_id;
    v1::JobState from = v1::JOB_STATE_UNSPECIFIED;
    v1::JobState to = v1::JOB_STATE_UNSPECIFIED;
  };

  // Whether the event makes sense now: NOT_FOUND, ALREADY_EXISTS (request_id), or FAILED_PRECONDITION (stale
  // epoch, wrong state), with a message for people.
  absl::Status Check(const v1::Event& event) const;

  // The only way to change the state. An event that was applied before, or that Check refuses, changes nothing
  // but `sequence()`.
  std::vector<Transition> Apply(const v1::Event& event);

  // FAILED_PRECONDITION unless `epoch` is the live attempt of the job.
  absl::Status CheckLiveEpoch(const std::string& job_id, int64_t epoch) const;

  // What a worker group shows before it may write about an attempt.
  struct Holder {
    std::string group_id;
    std::string incarnation;
  };
  // As CheckLiveEpoch; PERMISSION_DENIED unless the live attempt runs on this very start of this group.
  absl::Status CheckHeldBy(const Holder& holder, const std::string& job_id, int64_t epoch) const;

  // Null if there is none. References are good until the next Apply.
  const v1::Job* FindById(const std::string& job_id) const;
  const v1::Job* FindByRequestId(const std::string& request_id) const;
  // An id, or else a name: then the newest job with it. NOT_FOUND says how to list.
  absl::StatusOr<const v1::Job*> Find(const std::string& id_or_name) const;
  // The job whose live attempt runs on the group, or null.
  const v1::Job* JobOnGroup(const std::string& group_id) const;

  // What the job was submitted with. A sweep's child holds only its difference from its parent: read recipe and labels
  // of a job by these. `sections` names top-level keys of the recipe; none: all of it.
  v1::Recipe RecipeOf(const v1::Job& job, std::initializer_list<const char*> sections = {}) const;
  // A copy for the outside: recipe (its `sections`) and labels are in place.
  v1::Job CopyOf(const v1::Job& job, std::initializer_list<const char*> sections = {}) const;
  // Those that it was submitted with, and what people changed since.
  google::protobuf::Map<std::string, std::string> LabelsOf(const v1::Job& job) const;
  // `resources` of a job that is neither terminal nor a parent; jobs of an older store have no device and memory.
  const v1::Resources& ResourcesWanted(const v1::Job& job) const;

  // The default one is always there.
  const std::map<std::string, v1::Queue>& queues() const { return queues_; }
  // Ranks times hours of the queue's attempts, ended and live, within the last `period_hours`. Cost: the attempts that
  // ended since then.
  double RankHours(const std::string& queue, double period_hours, int64_t now_unix_ms) const;
  // Null if there is none.
  const v1::Token* FindToken(const std::string& name) const;
  // The token whose secret, or whose secret before its last rotation, has this hash; null if there is none.
  const v1::Token* FindTokenByHash(const std::string& secret_sha256) const;
  const std::map<std::string, v1::Token>& tokens() const { return tokens_; }  // By name, revoked ones too.
  // Worker groups that get no further job.
  const std::set<std::string>& draining_groups() const { return draining_groups_; }

  const std::map<int64_t, v1::Job>& jobs() const { return jobs_; }  // By number: in order of submission.
  std::vector<const v1::Job*> QueuedJobs() const;                   // Without parents, in order of submission.
  std::vector<const v1::Job*> RunningJobs() const;                  // Without parents.
  std::vector<const v1::Job*> TrialsAtRungs() const;                // In order of submission.
  // A job that has not ended, with its `resources`; no parent.
  struct ActiveJob {
    int64_t number = 0;
    const v1::Job* job = nullptr;
    const v1::Resources* wanted = nullptr;
  };
  std::vector<ActiveJob> ActiveJobs() const;  // In order of submission.
  const std::vector<v1::FrontierPoint>& points() const { return points_; }
  int64_t next_job_number() const { return next_job_number_; }
  int64_t sequence() const { return sequence_; }

  // DATA_LOSS if the snapshot contradicts itself. All its jobs count as changed.
  static absl::StatusOr<CoordinatorState> FromSnapshot(v1::Snapshot snapshot);

  // Numbers of the jobs that events have changed since ForgetChanges and ForgetChange.
  const std::set<int64_t>& changed_jobs() const { return changed_jobs_; }
  void ForgetChanges() { changed_jobs_.clear(); }
  void ForgetChange(int64_t number) { changed_jobs_.erase(number); }

 private:
  // What one event does.
  struct Change {
    int64_t time_unix_ms = 0;
    std::string actor;
    std::vector<Transition> transitions;
    std::set<std::string> parents;  // To be derived again when all children have changed.
  };

  void ApplySubmitted(const v1::JobsSubmitted& submitted, Change& change);
  void ApplyStarted(const v1::AttemptStarted& started, Change& change);
  void ApplyCheckpoint(const v1::CheckpointRecorded& recorded);
  void ApplyChanged(const v1::JobChanged& changed, Change& change);
  void ApplyDrained(const v1::GroupDrained& drained);
  void ApplyPreempt(const v1::PreemptRequested& preempt, const Change& change);
  void ApplyToken(const v1::Token& token);
  void ApplyEnded(const v1::AttemptEnded& ended, Change& change);
  void ApplyCancel(const v1::CancelRequested& cancel, Change& change);
  void ApplyRetry(const v1::JobRetried& retried, Change& change);
  void ApplyTrials(const v1::TrialsDecided& decided, Change& change);

  static std::map<std::string, v1::Queue> DefaultQueues();
  void SetState(v1::Job& job, v1::JobState state, const std::string& reason, Change& change);
  void EndLost(v1::Job& job, const v1::AttemptEnded& ended, Change& change);
  void EndNoRoom(v1::Job& job, const v1::AttemptEnded& ended, Change& change);
  void EndReached(v1::Job& job, Change& change);
  void Requeue(v1::Job& job, const std::string& reason, Change& change);
  bool EndAtTimeLimit(v1::Job& job, Change& change);
  void ForgetRestarts(v1::Job& job) const;
  void ChangeOne(v1::Job& job, const v1::JobChanged& changed, Change& change);
  void Pause(v1::Job& job, Change& change);
  void Resume(v1::Job& job, Change& change);
  void RecordPoint(v1::Job& job, const v1::FrontierPoint& point);
  void CancelOne(v1::Job& job, Change& change);
  void RetryOne(v1::Job& job, Change& change);
  void DeriveParent(const std::string& parent_id, Change& change);
  void EndAttempt(v1::Job& job, const v1::AttemptEnded& ended, const Change& change);
  void ShrinkChild(v1::Job& job) const;
  void IndexJob(int64_t number, const v1::Job& job);
  void IndexState(int64_t number, const v1::Job& job);
  void IndexUse(const std::string& queue, const v1::Attempt& attempt);
  v1::Job* MutableJob(const std::string& job_id);

  absl::Status CheckSubmitted(const v1::JobsSubmitted& submitted) const;
  absl::Status CheckStarted(const v1::AttemptStarted& started) const;
  absl::Status CheckEnded(const v1::AttemptEnded& ended) const;
  absl::Status CheckCancel(const v1::CancelRequested& cancel) const;
  absl::Status CheckRetry(const v1::JobRetried& retried) const;
  absl::Status CheckTrials(const v1::TrialsDecided& decided) const;
  absl::Status CheckChanged(const v1::JobChanged& changed) const;
  absl::Status CheckQueueOf(const v1::Job& job) const;
  absl::Status CheckToken(const v1::Token& token) const;
  absl::Status CheckPreempt(const v1::PreemptRequested& preempt) const;

  std::map<int64_t, v1::Job> jobs_;
  std::vector<v1::FrontierPoint> points_;
  std::map<std::string, v1::Queue> queues_ = DefaultQueues();
  std::set<std::string> draining_groups_;
  std::map<std::string, v1::Token> tokens_;
  int64_t next_job_number_ = 1;
  int64_t sequence_ = 0;
  std::set<int64_t> changed_jobs_;

  // Derived from jobs_.
  std::map<int64_t, v1::Resources> active_;  // Not terminal, not a parent; with what they want.
  std::set<int64_t> running_, paused_;       // Of those.
  std::unordered_map<std::string, int64_t> by_request_id_;
  std::unordered_map<std::string, int64_t> newest_by_name_;
  std::unordered_map<std::string, std::string> job_on_group_;   // Live attempts: group id to job id.
  std::unordered_map<std::string, std::string> token_by_hash_;  // Of tokens_: hash of a secret to name.
  // What ended attempts took of each queue, in order of their end.
  struct Use {
    int64_t start_unix_ms = 0, end_unix_ms = 0;
    int ranks = 0;
  };
  std::map<std::string, std::vector<Use>> uses_;
};

}  // namespace ridgeline
