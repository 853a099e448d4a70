// SPDX-License-Identifier: Apache-2.0
#include "coordinator/simulation/simulated_worker.h"

#include <fmt/format.h>

#include <utility>

#include "coordinator/fleet/record_rules.h"

namespace ridgeline::simulation {
namespace {

constexpr int64_t kHeartbeatMs = 1'000;
constexpr int64_t kLongestDelayMs = 150;
constexpr int64_t kStepsAtOnce = 10, kCheckpointEverySteps = 30;

}  // namespace

// Both ways in order, as a stream has them. Closed for the coordinator, for the worker, or for both.
struct SimulatedWorker::Connection final : GroupChannel {
  World* world = nullptr;
  std::weak_ptr<SimulatedWorker> worker;
  std::weak_ptr<Connection> self;
  int generation = 0;  // Of the coordinator.
  bool attached = false, open_above = true, open_below = true;
  std::deque<v1::WorkerMessage> up;
  std::deque<v1::CoordinatorMessage> down;

  // The coordinator that this one was made to still runs.
  bool has_coordinator() const { return world->coordinator.is_up() && world->coordinator.generation() == generation; }

  void Send(v1::CoordinatorMessage message) override {
    if (!open_above || !world->disk.has_power()) return;
    down.push_back(std::move(message));
    world->queue.After(world->Between(1, kLongestDelayMs), [connection = self.lock()] {
      if (const auto to = connection->worker.lock()) to->PumpDown(connection);
    });
  }

  void Cancel() override {
    world->queue.After(0, [connection = self.lock()] { connection->CloseAbove(false); });
    world->queue.After(world->Between(1, kLongestDelayMs), [connection = self.lock()] {
      if (const auto to = connection->worker.lock()) to->Broken(connection);
    });
  }

  void CloseAbove(bool said_goodbye) {
    if (!open_above) return;
    open_above = false;
    if (!attached || !has_coordinator()) return;
    if (const auto from = worker.lock()) world->coordinator.fleet().Detach(from->group_id_, self.lock(), said_goodbye);
  }
};

SimulatedWorker::SimulatedWorker(World* world, std::string group_id, int start, int ranks)
    : world_(world),
      group_id_(std::move(group_id)),
      incarnation_(fmt::format("{}-{}", group_id_, start)),
      ranks_(ranks) {}

SimulatedWorker::~SimulatedWorker() = default;

void SimulatedWorker::Run() {
  world_->Note(fmt::format("worker {} starts", incarnation_));
  Connect();
  Heartbeat();
}

void SimulatedWorker::Connect() {
  if (!is_alive_ || connection_ != nullptr) return;
  if (!world_->coordinator.is_up() || partitioned_until_ms_ > world_->queue.now_ms()) {
    world_->queue.After(world_->Between(200, 1'500), [self = shared_from_this()] { self->Connect(); });
    return;
  }
  connection_ = std::make_shared<Connection>();
  connection_->world = world_;
  connection_->worker = weak_from_this();
  connection_->self = connection_;
  connection_->generation = world_->coordinator.generation();
  is_welcome_ = false;
  v1::WorkerMessage hello;
  hello.mutable_hello()->set_group_id(group_id_);
  hello.mutable_hello()->set_incarnation(incarnation_);
  hello.mutable_hello()->set_ranks(ranks_);
  if (job_.has_value()) {
    hello.mutable_hello()->set_job_id(job_->id);
    hello.mutable_hello()->set_epoch(job_->epoch);
  }
  Up(connection_, hello);
}

void SimulatedWorker::Up(const std::shared_ptr<Connection>& connection, const v1::WorkerMessage& message) {
  connection->up.push_back(message);
  world_->queue.After(world_->Between(1, kLongestDelayMs),
                      [self = shared_from_this(), connection] { self->PumpUp(connection); });
}

// One message arrives at the coordinator.
void SimulatedWorker::PumpUp(const std::shared_ptr<Connection>& connection) {
  if (connection->up.empty() || !connection->open_above) return;
  if (!connection->has_coordinator()) {
    Broken(connection);
    return;
  }
  if (partitioned_until_ms_ > world_->queue.now_ms()) {
    world_->queue.After(partitioned_until_ms_ - world_->queue.now_ms(),
                        [self = shared_from_this(), connection] { self->PumpUp(connection); });
    return;
  }
  const v1::WorkerMessage message = std::move(connection->up.front());
  connection->up.pop_front();
  Fleet& fleet = world_->coordinator.fleet();
  if (message.has_hello()) {
    const absl::Status refused = fleet.Attach(message.hello(), connection);
    connection->attached = refused.ok();
    if (refused.ok()) return;
    v1::CoordinatorMessage answer;
    answer.mutable_refused()->set_reason(std::string(refused.message()));
    connection->Send(answer);
    connection->open_above = false;
    return;
  }
  const absl::Status status = fleet.Handle({group_id_, incarnation_}, *connection, message);
  if (status.ok()) return;
  connection->CloseAbove(false);
  world_->queue.After(world_->Between(1, kLongestDelayMs),
                      [self = shared_from_this(), connection] { self->Broken(connection); });
}

void SimulatedWorker::PumpDown(const std::shared_ptr<Connection>& connection) {
  if (!is_alive_ || connection->down.empty() || !connection->open_below) return;
  if (partitioned_until_ms_ > world_->queue.now_ms()) {
    world_->queue.After(partitioned_until_ms_ - world_->queue.now_ms(),
                        [self = shared_from_this(), connection] { self->PumpDown(connection); });
    return;
  }
  const v1::CoordinatorMessage message = std::move(connection->down.front());
  connection->down.pop_front();
  Receive(message);
}

void SimulatedWorker::Receive(const v1::CoordinatorMessage& message) {
  switch (message.kind_case()) {
    case v1::CoordinatorMessage::kWelcome:
      is_welcome_ = true;
      for (const v1::WorkerMessage& record : spool_) Up(connection_, record);
      break;
    case v1::CoordinatorMessage::kRefused:
      world_->Note(fmt::format("worker {} is refused", incarnation_));
      Die();
      break;
    case v1::CoordinatorMessage::kAssign:
      next_ = message.assign();
      if (!job_.has_value()) Start(*std::exchange(next_, std::nullopt));
      break;
    case v1::CoordinatorMessage::kCancel:
      Stop(message.cancel().job_id(), message.cancel().epoch());
      break;
    case v1::CoordinatorMessage::kPreempt:
      Preempt(message.preempt().job_id(), message.preempt().epoch());
      break;
    case v1::CoordinatorMessage::kAck:
      Acknowledged(message.ack().sequence());
      break;
    default:
      break;
  }
}

void SimulatedWorker::Start(const v1::Assign& assign) {
  // It may come a second time, and finds it running or done.
  job_ = Job{assign.job_id(), assign.epoch(), assign.recipe().training().steps(), assign.resume_from().step()};
  world_->Note(
      fmt::format("worker {} begins {} attempt {} at step {}", incarnation_, job_->id, job_->epoch, job_->step));
  world_->queue.After(world_->Between(500, 3'000),
                      [self = shared_from_this(), id = job_->id, epoch = job_->epoch] { self->TrainOn(id, epoch); });
}

void SimulatedWorker::Stop(const std::string& job_id, int64_t epoch) {
  if (next_.has_value() && next_->job_id() == job_id && next_->epoch() == epoch) next_.reset();
  if (!job_.has_value() || job_->id != job_id || job_->epoch != epoch) return;
  SendResult(v1::STOPPED);
}

// Commits a checkpoint, ends the attempt and waits for the next one.
void SimulatedWorker::Preempt(const std::string& job_id, int64_t epoch) {
  if (!job_.has_value() || job_->id != job_id || job_->epoch != epoch) return;
  SendCheckpoint();
  SendResult(v1::PREEMPTED);
}

void SimulatedWorker::TrainOn(std::string job_id, int64_t epoch) {
  if (!is_alive_ || !job_.has_value() || job_->id != job_id || job_->epoch != epoch) return;
  job_->step = std::min(job_->step + kStepsAtOnce, job_->steps);
  SendMetrics();
  if (job_->step % kCheckpointEverySteps == 0) SendCheckpoint();
  if (job_->step >= job_->steps) return SendResult(v1::COMPLETED);
  if (!world_->is_quiet && world_->Chance(0.01)) return SendResult(v1::NO_ROOM);
  if (!world_->is_quiet && world_->Chance(0.01)) return SendResult(v1::ERROR);
  world_->queue.After(world_->Between(300, 2'500),
                      [self = shared_from_this(), job_id, epoch] { self->TrainOn(job_id, epoch); });
}

void SimulatedWorker::SendMetrics() {
  v1::WorkerMessage message;
  message.mutable_metrics()->set_job_id(job_->id);
  message.mutable_metrics()->set_epoch(job_->epoch);
  v1::MetricPoint& point = *message.mutable_metrics()->add_points();
  point.set_step(job_->step);
  point.set_train_loss(3);
  SendRecord(message);
}

void SimulatedWorker::SendCheckpoint() {
  v1::WorkerMessage message;
  message.mutable_checkpoint()->set_job_id(job_->id);
  message.mutable_checkpoint()->set_epoch(job_->epoch);
  v1::Checkpoint& checkpoint = *message.mutable_checkpoint()->mutable_checkpoint();
  checkpoint.set_step(job_->step);
  checkpoint.set_path(CheckpointPath(job_->id, job_->step));
  checkpoint.set_sha256(std::string(64, 'a'));
  SendRecord(message);
}

void SimulatedWorker::SendResult(v1::AttemptOutcome outcome) {
  v1::WorkerMessage message;
  message.mutable_result()->set_job_id(job_->id);
  message.mutable_result()->set_epoch(job_->epoch);
  message.mutable_result()->set_outcome(outcome);
  if (outcome == v1::COMPLETED) {
    message.mutable_result()->mutable_point()->set_loss(2);
    message.mutable_result()->mutable_point()->set_accuracy(0.4);
  }
  world_->Note(fmt::format("worker {} ends {} attempt {}: {}", incarnation_, job_->id, job_->epoch,
                           v1::AttemptOutcome_Name(outcome)));
  SendRecord(message);
  job_.reset();
  if (next_.has_value()) Start(*std::exchange(next_, std::nullopt));
}

void SimulatedWorker::SendRecord(v1::WorkerMessage message) {
  message.set_sequence(++sequence_);
  spool_.push_back(message);
  if (connection_ == nullptr || !is_welcome_) return;
  Up(connection_, message);
  if (world_->Chance(0.05)) Up(connection_, message);  // Twice, as after a stream that broke at the wrong moment.
}

void SimulatedWorker::Acknowledged(int64_t sequence) {
  for (auto record = spool_.begin(); record != spool_.end(); ++record) {
    if (record->sequence() != sequence) continue;
    if (record->has_result()) world_->coordinator.PromiseEnded(record->result().job_id(), record->result().epoch());
    spool_.erase(record);
    return;
  }
}

void SimulatedWorker::Heartbeat() {
  if (!is_alive_) return;
  if (connection_ != nullptr && is_welcome_) {
    v1::WorkerMessage message;
    message.mutable_heartbeat();
    Up(connection_, message);
  }
  world_->queue.After(kHeartbeatMs, [self = shared_from_this()] { self->Heartbeat(); });
}

void SimulatedWorker::Broken(const std::shared_ptr<Connection>& connection) {
  connection->open_below = false;
  if (connection_ != connection) return;
  connection_ = nullptr;
  is_welcome_ = false;
  if (is_alive_) world_->queue.After(world_->Between(100, 2'000), [self = shared_from_this()] { self->Connect(); });
}

void SimulatedWorker::LoseConnection() {
  if (connection_ == nullptr) return;
  world_->Note(fmt::format("worker {} loses its connection", incarnation_));
  connection_->up.clear();
  connection_->down.clear();
  // Each side hears of it in its time, the coordinator perhaps after the lease.
  world_->queue.After(world_->Between(0, 15'000),
                      [connection = connection_, self = shared_from_this()] { connection->CloseAbove(false); });
  world_->queue.After(world_->Between(0, 8'000),
                      [self = shared_from_this(), connection = connection_] { self->Broken(connection); });
}

void SimulatedWorker::Partition(int64_t ms) {
  world_->Note(fmt::format("worker {} is partitioned for {} ms", incarnation_, ms));
  partitioned_until_ms_ = world_->queue.now_ms() + ms;
}

void SimulatedWorker::Die() {
  if (!is_alive_) return;
  world_->Note(fmt::format("worker {} dies", incarnation_));
  is_alive_ = false;
  job_.reset();
  next_.reset();
  spool_.clear();
  if (connection_ == nullptr) return;
  connection_->open_below = false;
  connection_->up.clear();
  world_->queue.After(world_->Between(0, 15'000),
                      [connection = connection_, self = shared_from_this()] { connection->CloseAbove(false); });
  connection_ = nullptr;
}

}  // namespace ridgeline::simulation
