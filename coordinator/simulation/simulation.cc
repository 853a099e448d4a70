// SPDX-License-Identifier: Apache-2.0
#include "coordinator/simulation/simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "coordinator/simulation/simulated_worker.h"

namespace ridgeline::simulation {
namespace {

constexpr int64_t kTroubleMs = 60'000;  // Then nothing bad happens any more.
constexpr int64_t kQuietMs = 400'000;   // By then every job has ended.
constexpr int64_t kTickMs = 500;
constexpr int kLargestGang = 4;
constexpr int64_t kTimeoutMs = 2'000;  // Of a client's call.

v1::Recipe SmallRecipe(World& world, int number) {
  v1::Recipe recipe;
  recipe.set_name(fmt::format("run-{}", number));
  recipe.mutable_dataset()->set_path("data");
  recipe.mutable_training()->set_steps(static_cast<int32_t>(world.Between(2, 9)) * 10);
  recipe.mutable_resources()->set_ranks(static_cast<int32_t>(world.Between(1, kLargestGang)));
  recipe.set_priority(static_cast<int32_t>(world.Between(-1, 1)));
  recipe.mutable_recovery()->set_max_restarts(100);
  if (!world.Chance(0.2)) return recipe;
  v1::SweepValues& seeds = (*recipe.mutable_sweep()->mutable_parameters())["training.seed"];
  for (int64_t seed = world.Between(1, 2); seed >= 0; --seed) seeds.add_values(std::to_string(seed));
  return recipe;
}

class Simulation {
 public:
  explicit Simulation(const SimulationOptions& options) : world_(options.seed) {
    world_.disk.SetLying(options.has_lying_disk);
  }

  SimulationResult Run() {
    world_.coordinator.Start();
    AddWorkers();
    AddClients();
    Tick();
    NextTrouble();
    world_.queue.After(kTroubleMs, [this] { Heal(); });
    while (world_.record.violations.empty() && world_.queue.now_ms() < kTroubleMs + kQuietMs && !done_) {
      if (!world_.queue.RunNext()) break;
      ++result_.events;
      AfterEvent();
    }
    if (world_.record.violations.empty() && !done_) Unfinished();
    Dismantle();
    result_.violations = std::move(world_.record.violations);
    result_.history = std::move(world_.record.history);
    return std::move(result_);
  }

 private:
  struct Client {
    std::string request_id;
    v1::Recipe recipe;
    std::string job_id;  // Once it was answered.
  };

  void AddWorkers() {
    const int64_t groups = world_.Between(1, 3);
    for (int64_t i = 0; i < groups; ++i) {
      const int ranks = i == 0 ? kLargestGang : static_cast<int>(world_.Between(1, kLargestGang));
      StartWorker(std::string(1, static_cast<char>('a' + i)), ranks);
    }
  }

  void StartWorker(const std::string& group_id, int ranks) {
    workers_.push_back(std::make_shared<SimulatedWorker>(&world_, group_id, ++starts_, ranks));
    workers_.back()->Run();
  }

  void AddClients() {
    const int64_t count = world_.Between(2, 8);
    for (int64_t i = 0; i < count; ++i) {
      auto client = std::make_shared<Client>();
      client->request_id = fmt::format("request-{}", i);
      client->recipe = SmallRecipe(world_, static_cast<int>(i));
      clients_.push_back(client);
      world_.queue.After(world_.Between(0, kTroubleMs * 3 / 4), [this, client] { Submit(client); });
    }
  }

  // Until it is answered, as a client with a request id does.
  void Submit(const std::shared_ptr<Client>& client) {
    if (!client->job_id.empty()) return;
    world_.queue.After(kTimeoutMs, [this, client] { Submit(client); });
    if (!world_.coordinator.is_up()) return;
    v1::SubmitJobRequest request;
    *request.mutable_recipe() = client->recipe;
    request.set_request_id(client->request_id);
    const absl::StatusOr<SubmittedJob> submitted = world_.coordinator.actions().Submit(request, LocalPrincipal(""));
    // Answers of a machine without power reach nobody, and others may be lost on their way.
    if (!submitted.ok() || !world_.disk.has_power() || (!world_.is_quiet && world_.Chance(0.2))) return;
    const std::string job_id = submitted->job_id;
    client->job_id = job_id;
    world_.Note(fmt::format("{} was answered with {}", client->request_id, job_id));
    world_.coordinator.PromiseJob(client->request_id, job_id);
    if (world_.Chance(0.2)) world_.queue.After(world_.Between(0, 30'000), [this, client] { Cancel(client); });
    if (world_.Chance(0.2)) world_.queue.After(world_.Between(0, 30'000), [this, client] { Pause(client, true); });
    if (world_.Chance(0.2)) {  // Asks again, though it was answered.
      world_.queue.After(world_.Between(0, 20'000), [this, client, request] { AskAgain(client, request); });
    }
  }

  void AskAgain(const std::shared_ptr<Client>& client, const v1::SubmitJobRequest& request) {
    if (!world_.coordinator.is_up()) return;
    const absl::StatusOr<SubmittedJob> again = world_.coordinator.actions().Submit(request, LocalPrincipal(""));
    if (!again.ok() || !world_.disk.has_power()) return;
    world_.coordinator.PromiseJob(client->request_id, again->job_id);
  }

  void Cancel(const std::shared_ptr<Client>& client) {
    if (!world_.coordinator.is_up()) return;
    world_.coordinator.actions().Cancel(client->job_id, LocalPrincipal("")).status().IgnoreError();
    if (world_.Chance(0.5)) {
      world_.queue.After(world_.Between(0, 20'000), [this, client] {
        if (world_.coordinator.is_up())
          world_.coordinator.actions().Retry(client->job_id, LocalPrincipal("")).status().IgnoreError();
      });
    }
  }

  // Resumes it some time later, and asks until that is heard.
  void Pause(const std::shared_ptr<Client>& client, bool paused) {
    v1::ChangeJobRequest request;
    request.set_job(client->job_id);
    request.set_paused(paused);
    const bool is_up = world_.coordinator.is_up();
    const absl::Status status = is_up ? world_.coordinator.actions().Change(request, LocalPrincipal("")).status()
                                      : absl::UnavailableError("it is down");
    const bool heard = is_up && world_.disk.has_power() && (status.ok() || absl::IsFailedPrecondition(status));
    if (paused || !heard) world_.queue.After(world_.Between(1'000, 20'000), [this, client] { Pause(client, false); });
  }

  void Tick() {
    world_.queue.After(kTickMs, [this] { Tick(); });
    if (!world_.coordinator.is_up()) return;
    world_.coordinator.controller().RunOnce();
    if (world_.is_quiet) done_ = AllEnded();
  }

  bool AllEnded() {
    for (const auto& client : clients_)
      if (client->job_id.empty()) return false;
    return world_.coordinator.journal().Read([](const CoordinatorState& state) {
      return std::all_of(state.jobs().begin(), state.jobs().end(),
                         [](const auto& entry) { return IsTerminal(entry.second.state()); });
    });
  }

  void NextTrouble() {
    world_.queue.After(world_.Between(500, 8'000), [this] {
      if (world_.is_quiet) return;
      Trouble();
      NextTrouble();
    });
  }

  void Trouble() {
    SimulatedWorker& worker = *workers_[static_cast<size_t>(world_.Between(0, std::ssize(workers_) - 1))];
    switch (world_.Between(0, 8)) {
      case 0:
        return LosePower();
      case 1:  // In the middle of a write that comes soon.
        return world_.disk.LosePowerAfter(world_.Between(1, 40));
      case 2:
        return FillDisk();
      case 3:
        return Replace(worker, true);
      case 4:  // Another start of the same group beside one that still runs.
        return Replace(worker, false);
      case 5:
        return worker.LoseConnection();
      case 6:
        return worker.Partition(world_.Between(500, 25'000));
      case 7:
        world_.Note("the wall clock jumps");
        return world_.queue.clock().JumpWall(world_.Between(-3'600'000, 3'600'000));
      default:
        return Stand();
    }
  }

  void Replace(SimulatedWorker& worker, bool dies) {
    if (!worker.is_alive()) return;
    const std::string group_id = worker.group_id();
    const int ranks = worker.ranks();
    if (dies) worker.Die();
    world_.queue.After(world_.Between(100, 20'000), [this, group_id, ranks] { StartWorker(group_id, ranks); });
  }

  void FillDisk() {
    world_.Note("the disk is full");
    world_.disk.SetFull(true);
    world_.queue.After(world_.Between(500, 10'000), [this] {
      world_.Note("the disk has room again");
      world_.disk.SetFull(false);
    });
  }

  // The coordinator's process stands still, and time does not.
  void Stand() {
    const int64_t ms = world_.Between(1'000, 20'000);
    world_.Note(fmt::format("nothing happens for {} ms", ms));
    world_.queue.clock().Advance(ms);
  }

  void LosePower() {
    if (!world_.coordinator.is_up()) return;
    world_.Note("the coordinator loses its power");
    ++result_.crashes;
    world_.coordinator.Kill();
    world_.disk.Crash(world_.random);
    Restart(world_.Between(100, 15'000));
  }

  void Restart(int64_t after_ms) {
    world_.queue.After(after_ms, [this] {
      if (world_.coordinator.is_up() || world_.coordinator.Start()) return;
      if (!world_.disk.has_power()) world_.disk.Crash(world_.random);  // Lost again while it started.
      Restart(1'000);
    });
  }

  void Heal() {
    world_.Note("nothing bad happens any more");
    world_.is_quiet = true;
    world_.disk.SetFull(false);
    std::vector<std::pair<std::string, int>> gone;
    for (const auto& worker : workers_) {
      const bool has_life = std::any_of(workers_.begin(), workers_.end(), [&](const auto& other) {
        return other->is_alive() && other->group_id() == worker->group_id();
      });
      const bool known =
          std::any_of(gone.begin(), gone.end(), [&](const auto& entry) { return entry.first == worker->group_id(); });
      if (!has_life && !known) gone.emplace_back(worker->group_id(), worker->ranks());
    }
    for (const auto& [group_id, ranks] : gone) StartWorker(group_id, ranks);
  }

  void AfterEvent() {
    if (world_.coordinator.is_up() && !world_.disk.has_power()) LosePower();
    if (!world_.coordinator.is_up()) return;
    world_.coordinator.CheckInvariants();
  }

  void Unfinished() {
    std::string left;
    if (world_.coordinator.is_up()) {
      left = world_.coordinator.journal().Read([](const CoordinatorState& state) {
        std::string text;
        for (const auto& [number, job] : state.jobs())
          if (!IsTerminal(job.state())) text += fmt::format(" {} ({})", job.id(), job.reason());
        return text;
      });
    }
    world_.record.Violated(world_.queue.now_ms(), "jobs have not ended, though nothing bad happened any more:" + left);
  }

  void Dismantle() {
    result_.jobs = static_cast<int>(clients_.size());
    world_.coordinator.Kill();
  }

  World world_;
  SimulationResult result_;
  std::vector<std::shared_ptr<SimulatedWorker>> workers_;  // All that were ever started.
  std::vector<std::shared_ptr<Client>> clients_;
  int starts_ = 0;
  bool done_ = false;
};

}  // namespace

SimulationResult Simulate(const SimulationOptions& options) { return Simulation(options).Run(); }

}  // namespace ridgeline::simulation
