// SPDX-License-Identifier: Apache-2.0
// Times a pass of the coordinator's scheduler over many queued jobs and groups: with all groups idle, with all of them
// busy, with some that have to make room, and with as many different wishes as jobs. Prints a table, or with -o json
// one JSON object.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <random>
#include <vector>

#include "common/number_option.h"
#include "coordinator/control/scheduler.h"
#include "coordinator/state/test_events.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace ridgeline {
namespace {

struct Options {
  int jobs = 10'000;
  int groups = 1'000;
  int queues = 8;
  int rounds = 9;
  std::string format = "table";
};

struct Scene {
  CoordinatorState state;
  FleetView fleet;
};

constexpr int kSizes[] = {1, 2, 4, 8};  // Ranks of groups.

void Apply(CoordinatorState* state, v1::Event event) {
  event.set_sequence(state->sequence() + 1);
  event.set_time_unix_ms(1'700'000'000'000);
  state->Apply(event);
}

std::string QueueName(int number) { return number == 0 ? kDefaultQueue : fmt::format("queue-{}", number); }

Scene MakeScene(const Options& options, bool all_different) {
  Scene scene;
  std::mt19937 random(1);
  for (int i = 1; i < options.queues; ++i) Apply(&scene.state, test::QueueSetTo(QueueName(i), i));
  for (int i = 0; i < options.groups; ++i)
    scene.fleet.groups.push_back({fmt::format("group-{}", i), kSizes[random() % 4], true, "cpu", int64_t{64} << 30});
  std::vector<v1::Job> jobs;
  for (int i = 1; i <= options.jobs; ++i) {
    v1::Job& job = jobs.emplace_back(test::MakeJob(i, "run", kSizes[random() % 4]));
    job.set_priority(static_cast<int>(random() % 5));
    job.set_queue(QueueName(static_cast<int>(random() % static_cast<uint32_t>(options.queues))));
    if (all_different) job.mutable_recipe()->mutable_resources()->set_memory(i * 1e-6);
  }
  Apply(&scene.state, test::Submitted(std::move(jobs)));
  return scene;
}

// A job on each group; `priority` of all of them.
void FillGroups(Scene* scene, int priority) {
  for (SchedulableGroup& group : scene->fleet.groups) {
    v1::Job job = test::MakeJob(scene->state.next_job_number());
    job.set_priority(priority);
    const std::string id = job.id();
    Apply(&scene->state, test::Submitted({job}));
    v1::Event started = test::Started(id, 1, group.id);
    started.mutable_attempt_started()->set_ranks(group.ranks);
    Apply(&scene->state, started);
    group.idle = false;
  }
}

// Median of the rounds, in milliseconds.
double Measure(const Scene& scene, int rounds) {
  std::vector<double> milliseconds;
  for (int i = 0; i < rounds; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const Decision decision = Decide(scene.state, scene.fleet, {}, 1'700'000'060'000);
    milliseconds.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  std::sort(milliseconds.begin(), milliseconds.end());
  return milliseconds[milliseconds.size() / 2];
}

int Run(const Options& options) {
  Scene idle = MakeScene(options, false), busy = idle, asked = idle, different = MakeScene(options, true);
  FillGroups(&busy, 100);
  FillGroups(&asked, 0);
  FillGroups(&different, 100);
  const std::pair<const char*, const Scene*> scenes[] = {
      {"idle groups", &idle}, {"busy groups", &busy}, {"groups to make free", &asked}, {"all different", &different}};
  nlohmann::ordered_json json;
  if (options.format == "table")
    fmt::print("{} queued jobs, {} groups, {} queues\n{:<22}{:>10}\n", options.jobs, options.groups, options.queues,
               "PASS OVER", "MS");
  for (const auto& [name, scene] : scenes) {
    const double milliseconds = Measure(*scene, options.rounds);
    json[name] = milliseconds;
    if (options.format == "table") fmt::print("{:<22}{:>10.2f}\n", name, milliseconds);
  }
  if (options.format == "json") fmt::print("{}\n", json.dump());
  return 0;
}

}  // namespace
}  // namespace ridgeline

int main(int argc, char** argv) {
  ridgeline::Options options;
  CLI::App app("Times passes of the scheduler.");
  app.add_option("--jobs", options.jobs, "Queued jobs")->check(ridgeline::IntegerFrom(1, 1'000'000));
  app.add_option("--groups", options.groups, "Worker groups")->check(ridgeline::IntegerFrom(1, 100'000));
  app.add_option("--queues", options.queues, "Queues")->check(ridgeline::IntegerFrom(1, 1'000));
  app.add_option("--rounds", options.rounds, "Passes of each kind; their median counts")
      ->check(ridgeline::IntegerFrom(1, 1'000));
  app.add_option("-o", options.format, "table or json")->check(CLI::IsMember({"table", "json"}));
  CLI11_PARSE(app, argc, argv);
  return ridgeline::Run(options);
}
