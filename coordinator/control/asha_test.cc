// SPDX-License-Identifier: Apache-2.0
#include "coordinator/control/asha.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

namespace ridgeline {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const AshaRules kRules{.rungs = {10, 30}, .steps = 90, .reduction = 3};

Trial Waiting(const std::string& id, std::vector<std::optional<double>> scores) {
  return {.job_id = id, .waits = true, .ended = false, .scores = std::move(scores)};
}
Trial Training(const std::string& id, std::vector<std::optional<double>> scores = {}) {
  return {.job_id = id, .waits = false, .ended = false, .scores = std::move(scores)};
}

std::map<std::string, int64_t> Steps(const std::vector<v1::TrialsDecided::Decision>& decisions) {
  std::map<std::string, int64_t> steps;
  for (const auto& decision : decisions) steps[decision.job_id()] = decision.stop_at_step();
  return steps;
}

// One decision may allow another.
void Settle(std::vector<Trial>* trials) {
  while (true) {
    const auto decisions = DecideTrials(kRules, *trials);
    if (decisions.empty()) return;
    for (const auto& decision : decisions) {
      Trial& decided = (*trials)[std::stoul(decision.job_id())];
      decided.waits = false;
      decided.ended = decision.stop_at_step() == 0;
    }
  }
}

TEST(AshaTest, NothingIsDecidedWhileTooFewHaveCome) {
  EXPECT_THAT(DecideTrials(kRules, {Waiting("a", {3.0}), Training("b"), Training("c")}), IsEmpty());
}

TEST(AshaTest, TheBestOfThreeGoesOnAndTheOthersAreStoppedWhenNoneCanCome) {
  const auto decisions = DecideTrials(kRules, {Waiting("a", {3.0}), Waiting("b", {2.0}), Waiting("c", {4.0})});
  EXPECT_EQ(Steps(decisions), (std::map<std::string, int64_t>{{"a", 0}, {"b", 30}, {"c", 0}}));
  EXPECT_THAT(decisions[0].reason(), HasSubstr("stopped early: 2 of 3 at rung 1, step 10"));
}

TEST(AshaTest, WhoMayStillBeAmongTheBestWaits) {
  // Six in all: two will go on. The second of three so far may be one of them, the third may not.
  std::vector<Trial> trials{Waiting("a", {3.0}), Waiting("b", {2.0}), Waiting("c", {4.0})};
  for (const char* id : {"d", "e", "f"}) trials.push_back(Training(id));
  EXPECT_EQ(Steps(DecideTrials(kRules, trials)), (std::map<std::string, int64_t>{{"b", 30}, {"c", 0}}));
}

TEST(AshaTest, FromTheLastRungItGoesToTheEnd) {
  EXPECT_EQ(Steps(DecideTrials(kRules, {Waiting("a", {3.0, 2.5})})), (std::map<std::string, int64_t>{{"a", 90}}));
}

TEST(AshaTest, ATrialWithoutAScoreIsTheWorst) {
  const auto steps =
      Steps(DecideTrials(kRules, {Waiting("a", {std::nullopt}), Waiting("b", {9.0}), Waiting("c", {std::nan("")})}));
  EXPECT_EQ(steps, (std::map<std::string, int64_t>{{"a", 0}, {"b", 30}, {"c", 0}}));
}

TEST(AshaTest, AFailedTrialIsNotWaitedFor) {
  const Trial failed{.job_id = "c", .waits = false, .ended = true, .scores = {}};
  EXPECT_THAT(Steps(DecideTrials(kRules, {Waiting("a", {3.0}), Waiting("b", {2.0}), failed})), SizeIs(2));
}

// Whatever the order in which trials come: the whole sweep ends, nobody waits for ever, and the best trial of all is
// never stopped.
TEST(AshaTest, EverySweepEndsAndItsBestTrialIsTrainedToTheEnd) {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    const size_t count = 1 + random() % 20;
    std::vector<Trial> trials;
    std::vector<double> quality;
    std::vector<bool> finished(count);
    for (size_t i = 0; i < count; ++i) {
      trials.push_back(Training(std::to_string(i)));
      quality.push_back(static_cast<double>(random() % 1000) + 0.001 * static_cast<double>(i));
    }
    for (int round = 0; round < 1000; ++round) {
      std::vector<size_t> running;
      for (size_t i = 0; i < count; ++i)
        if (!trials[i].waits && !trials[i].ended) running.push_back(i);
      if (running.empty()) break;
      const size_t i = running[random() % running.size()];
      if (trials[i].scores.size() == kRules.rungs.size()) {
        trials[i].ended = finished[i] = true;
      } else {
        trials[i].scores.push_back(quality[i]);
        trials[i].waits = true;
      }
      Settle(&trials);
    }
    const size_t best = static_cast<size_t>(std::min_element(quality.begin(), quality.end()) - quality.begin());
    for (size_t i = 0; i < count; ++i) EXPECT_TRUE(trials[i].ended) << "seed " << seed << " trial " << i;
    EXPECT_TRUE(finished[best]) << "seed " << seed;
  }
}

}  // namespace
}  // namespace ridgeline
