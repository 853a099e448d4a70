// SPDX-License-Identifier: Apache-2.0
// Thousands of seeds, and faults put in on purpose that a few of them must find. RIDGELINE_SIMULATION_SEEDS=1-10000
// takes others, and RIDGELINE_SIMULATION_SEED=N prints what happens in one.
#include "coordinator/simulation/simulation.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "common/failpoint.h"

namespace ridgeline::simulation {
namespace {

constexpr size_t kShownLines = 60;

struct Seeds {
  uint64_t first = 1, last = 2000;
};

Seeds SeedsToRun() {
  Seeds seeds;
  if (const char* range = std::getenv("RIDGELINE_SIMULATION_SEEDS")) {
    char* end = nullptr;
    seeds.first = std::strtoull(range, &end, 10);
    seeds.last = *end == '-' ? std::strtoull(end + 1, nullptr, 10) : seeds.first;
  }
  return seeds;
}

std::string Story(uint64_t seed, const SimulationResult& result) {
  std::string text = "seed " + std::to_string(seed) + ": " + result.violations.at(0) + "\n";
  const size_t from = result.history.size() > kShownLines ? result.history.size() - kShownLines : 0;
  for (size_t i = from; i < result.history.size(); ++i) text += result.history[i] + "\n";
  return text + "RIDGELINE_SIMULATION_SEED=" + std::to_string(seed) + " shows all of it\n";
}

class SimulationTest : public testing::Test {
 protected:
  void SetUp() override { spdlog::set_level(spdlog::level::off); }
  void TearDown() override { DisarmFailpoints(); }

  // The first seed that finds something, or 0.
  static uint64_t FirstToFind(uint64_t last, bool has_lying_disk = false) {
    for (uint64_t seed = 1; seed <= last; ++seed)
      if (!Simulate({.seed = seed, .has_lying_disk = has_lying_disk}).violations.empty()) return seed;
    return 0;
  }
};

TEST_F(SimulationTest, WhatWasPromisedHoldsWhateverHappens) {
  const Seeds seeds = SeedsToRun();
  int64_t events = 0, crashes = 0;
  int failures = 0;
  for (uint64_t seed = seeds.first; seed <= seeds.last && failures < 3; ++seed) {
    const SimulationResult result = Simulate({.seed = seed});
    events += result.events;
    crashes += result.crashes;
    if (result.violations.empty()) continue;
    ++failures;
    ADD_FAILURE() << Story(seed, result);
  }
  std::printf("seeds %llu to %llu: %lld events, %lld crashes of the coordinator\n",
              static_cast<unsigned long long>(seeds.first), static_cast<unsigned long long>(seeds.last),
              static_cast<long long>(events), static_cast<long long>(crashes));
}

TEST_F(SimulationTest, TheSameSeedDoesTheSameAgain) {
  EXPECT_EQ(Simulate({.seed = 7}).history, Simulate({.seed = 7}).history);
}

TEST_F(SimulationTest, ShowsOneSeed) {
  const char* seed = std::getenv("RIDGELINE_SIMULATION_SEED");
  if (seed == nullptr) GTEST_SKIP() << "RIDGELINE_SIMULATION_SEED=N shows what happens in that one";
  const SimulationResult result = Simulate({.seed = std::strtoull(seed, nullptr, 10)});
  for (const std::string& line : result.history) std::printf("%s\n", line.c_str());
  EXPECT_TRUE(result.violations.empty());
}

TEST_F(SimulationTest, FindsADiskThatLies) { EXPECT_NE(FirstToFind(50, true), 0u); }

TEST_F(SimulationTest, FindsAcknowledgementsBeforeTheWrite) {
  ArmFailpoint("journal.acknowledge_before_write", FailpointAction::kFault, 5);
  EXPECT_NE(FirstToFind(50), 0u);
}

TEST_F(SimulationTest, FindsAttemptsThatAreOverAndStillWrite) {
  ArmFailpoint("state.accept_stale_epoch", FailpointAction::kFault);
  EXPECT_NE(FirstToFind(300), 0u);
}

TEST_F(SimulationTest, FindsRequestIdsThatAreForgotten) {
  ArmFailpoint("state.forget_request_ids", FailpointAction::kFault);
  EXPECT_NE(FirstToFind(50), 0u);
}

}  // namespace
}  // namespace ridgeline::simulation
