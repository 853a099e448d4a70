// SPDX-License-Identifier: Apache-2.0
// `up` with a real MPI worker group: a group that dies is started again, and none of its ranks stays behind.
#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "cli/program_runner.h"
#include "stack/process.h"
#include "stack/stack.h"

namespace ridgeline {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class WorkerGroupTest : public ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    const ProgramResult up = Run("up --ranks 2 --listen 127.0.0.1:0 --metrics 127.0.0.1:0");
    ASSERT_EQ(up.exit_code, 0) << up.err;
  }

  std::vector<pid_t> Ranks() const {
    std::vector<pid_t> ranks;
    for (const pid_t pid : FindByCookie(StackPaths(state_).WorkerCookie())) {
      if (ProgramOf(pid).ends_with("/ridgeline-worker")) ranks.push_back(pid);
    }
    return ranks;
  }

  // The group's incarnation, once it is idle with two ranks and is not `old`.
  std::string WaitForGroup(const std::string& old) const {
    for (int i = 0; i < 600; ++i) {
      const auto json = nlohmann::json::parse(Run("worker list -o json").out, nullptr, false);
      if (json.is_object() && json.contains("groups")) {
        for (const auto& group : json["groups"]) {
          if (group["state"] == "IDLE" && group["ranks"] == 2 && group["incarnation"] != old)
            return group["incarnation"];
        }
      }
      usleep(100'000);
    }
    return "";
  }
};

TEST_F(WorkerGroupTest, AKilledRankBringsAWholeNewGroup) {
  const std::string first = WaitForGroup("");
  const std::vector<pid_t> before = Ranks();
  ASSERT_THAT(before, SizeIs(2));
  ASSERT_EQ(kill(before.back(), SIGKILL), 0);
  EXPECT_NE(WaitForGroup(first), "");
  const std::vector<pid_t> after = Ranks();
  EXPECT_THAT(after, SizeIs(2));
  for (const pid_t pid : before) EXPECT_EQ(std::count(after.begin(), after.end(), pid), 0);
}

TEST_F(WorkerGroupTest, AKilledMpirunLeavesNoStrayRanks) {
  const std::string first = WaitForGroup("");
  const std::vector<pid_t> before = Ranks();
  ASSERT_EQ(kill(ReadSupervisorFile(StackPaths(state_))->worker_pid, SIGKILL), 0);
  EXPECT_NE(WaitForGroup(first), "");
  const std::vector<pid_t> after = Ranks();
  EXPECT_THAT(after, SizeIs(2));
  for (const pid_t pid : before) EXPECT_EQ(std::count(after.begin(), after.end(), pid), 0);
}

TEST_F(WorkerGroupTest, DownEndsEveryProcess) {
  ASSERT_NE(WaitForGroup(""), "");
  EXPECT_EQ(Run("down").exit_code, 0);
  const StackPaths paths(state_);
  EXPECT_THAT(FindByCookie(paths.WorkerCookie()), IsEmpty());
  EXPECT_THAT(FindByCookie(paths.CoordinatorCookie()), IsEmpty());
  EXPECT_FALSE(SupervisorIsAlive(paths));
}

}  // namespace
}  // namespace ridgeline
