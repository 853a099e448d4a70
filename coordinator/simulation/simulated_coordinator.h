// SPDX-License-Identifier: Apache-2.0
// The real coordinator without threads and sockets, on a disk in memory, and what is held against it after every event.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "coordinator/control/controller.h"
#include "coordinator/control/job_actions.h"
#include "coordinator/fleet/fleet.h"
#include "coordinator/simulation/memory_disk.h"
#include "coordinator/state/journal.h"
#include "coordinator/state/metric_store.h"

namespace ridgeline::simulation {

// What a run found, and did until then.
struct Record {
  std::vector<std::string> violations;
  std::vector<std::string> history;

  void Note(int64_t now_ms, const std::string& what);
  void Violated(int64_t now_ms, const std::string& what);
};

// Not thread-safe.
class SimulatedCoordinator final : public JournalObserver, public FleetObserver {
 public:
  SimulatedCoordinator(const Clock* clock, MemoryDisk* disk, int64_t lease_ms, Record* record)
      : clock_(clock), disk_(disk), lease_ms_(lease_ms), record_(record) {}

  // Opens what the disk holds. False if the disk does not let it.
  bool Start();
  // As when the process is killed.
  void Kill();
  bool is_up() const { return controller_ != nullptr; }
  // Counts starts, so that whoever spoke with an earlier one can tell.
  int generation() const { return generation_; }

  Fleet& fleet() { return *fleet_; }
  Controller& controller() { return *controller_; }
  JobActions& actions() { return *actions_; }
  const Journal& journal() const { return *journal_; }
  Journal& mutable_journal() { return *journal_; }
  MetricStore& store() { return *store_; }

  // What must hold at any time; looks only where something has changed since. REQUIRES: is_up().
  void CheckInvariants();

  // What was promised to others, and must hold from then on.
  void PromiseJob(const std::string& request_id, const std::string& job_id);
  void PromiseEnded(const std::string& job_id, int64_t epoch);
  void PromiseCheckpoint(const std::string& job_id, int64_t step);

  void OnApplied(const CoordinatorState& state, const v1::Event& event,
                 const std::vector<CoordinatorState::Transition>& transitions) override;
  void OnCommit(double) override {}
  void OnRefusedRecord(const char*) override {}
  void OnStep(const std::string&, const v1::MetricPoint&) override {}
  void OnCollectives(const CollectiveCountList&) override {}

 private:
  void CheckJob(const v1::Job& job, std::set<std::string>* busy_groups);
  void CheckPromises(const CoordinatorState& state);
  void CheckReopened();
  void CheckEpoch(const CoordinatorState& state, const v1::Event& event);
  void Violated(const std::string& what) { record_->Violated(clock_->MonotonicMs(), what); }

  const Clock* const clock_;
  MemoryDisk* const disk_;
  const int64_t lease_ms_;
  Record* const record_;
  int generation_ = 0;

  std::unique_ptr<Journal> journal_;
  std::unique_ptr<MetricStore> store_;
  std::unique_ptr<Fleet> fleet_;
  std::unique_ptr<Controller> controller_;
  std::unique_ptr<JobActions> actions_;

  std::string last_state_;  // The state as of last_sequence_, serialized.
  int64_t last_sequence_ = 0;
  bool is_checked_ = false;                                  // Nothing was applied or promised since the last look.
  std::map<std::string, std::string> promised_jobs_;         // By request id.
  std::set<std::pair<std::string, int64_t>> promised_ends_;  // Job and epoch.
  std::map<std::string, int64_t> promised_steps_;            // By job.
};

}  // namespace ridgeline::simulation
