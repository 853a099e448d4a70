// SPDX-License-Identifier: Apache-2.0
// A worker group as the protocol has it: it trains, keeps its records until they are acknowledged, loses its connection
// and comes back, dies and is started anew.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "coordinator/fleet/group_channel.h"
#include "coordinator/simulation/event_queue.h"
#include "coordinator/simulation/simulated_coordinator.h"
#include "ridgeline/v1/worker.pb.h"

namespace ridgeline::simulation {

// What all of a run's parts share. Lives as long as the run.
struct World {
  explicit World(uint64_t seed) : random(seed) {}

  int64_t Between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1));
  }
  bool Chance(double probability) { return std::uniform_real_distribution<double>(0, 1)(random) < probability; }
  void Note(const std::string& what) { record.Note(queue.now_ms(), what); }

  std::mt19937_64 random;
  EventQueue queue;
  MemoryDisk disk;
  Record record;
  bool is_quiet = false;  // No further trouble.
  SimulatedCoordinator coordinator{&queue.clock(), &disk, 10'000, &record};
};

class SimulatedWorker : public std::enable_shared_from_this<SimulatedWorker> {
 public:
  SimulatedWorker(World* world, std::string group_id, int start, int ranks);
  ~SimulatedWorker();

  // Connects, and goes on to do so.
  void Run();
  // Its process is gone; the coordinator hears of it when the connection breaks.
  void Die();
  // The connection breaks; both sides hear of it, each in its time.
  void LoseConnection();
  // Messages wait until the time is over.
  void Partition(int64_t ms);
  bool is_alive() const { return is_alive_; }
  const std::string& group_id() const { return group_id_; }
  const std::string& incarnation() const { return incarnation_; }
  int ranks() const { return ranks_; }

 private:
  struct Connection;
  struct Job {
    std::string id;
    int64_t epoch = 0;
    int64_t steps = 0, step = 0;
  };

  void Connect();
  void Up(const std::shared_ptr<Connection>& connection, const v1::WorkerMessage& message);
  void PumpUp(const std::shared_ptr<Connection>& connection);
  void PumpDown(const std::shared_ptr<Connection>& connection);
  void Receive(const v1::CoordinatorMessage& message);
  void Broken(const std::shared_ptr<Connection>& connection);
  void Start(const v1::Assign& assign);
  void Stop(const std::string& job_id, int64_t epoch);
  void Preempt(const std::string& job_id, int64_t epoch);
  void TrainOn(std::string job_id, int64_t epoch);
  void SendMetrics();
  void SendCheckpoint();
  void SendResult(v1::AttemptOutcome outcome);
  void SendRecord(v1::WorkerMessage message);
  void Heartbeat();
  void Acknowledged(int64_t sequence);

  World* const world_;
  const std::string group_id_, incarnation_;
  const int ranks_;
  bool is_alive_ = true, is_welcome_ = false;
  int64_t partitioned_until_ms_ = 0;
  std::shared_ptr<Connection> connection_;
  std::optional<Job> job_;
  std::optional<v1::Assign> next_;
  int64_t sequence_ = 0;
  std::deque<v1::WorkerMessage> spool_;
};

}  // namespace ridgeline::simulation
