// SPDX-License-Identifier: Apache-2.0
// `up` and `down` with a real coordinator: started once, healed when killed, gone when told so.
#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "cli/program_runner.h"
#include "stack/process.h"
#include "stack/stack.h"

namespace ridgeline {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kUp[] = "up --ranks 0 --listen 127.0.0.1:0 --metrics 127.0.0.1:0";

class UpTest : public ProgramTest {
 protected:
  StackPaths Paths() const { return StackPaths(state_); }

  static bool Eventually(const std::function<bool()>& condition) {
    for (int i = 0; i < 600; ++i) {
      if (condition()) return true;
      usleep(50'000);
    }
    return false;
  }

  pid_t CoordinatorPid() const {
    const auto file = ReadCoordinatorFile(Paths());
    return file.ok() ? file->pid : 0;
  }

  // Kills it until every file has one more "the coordinator is back" than `before`: those verbs have an answer again.
  bool KillCoordinatorUntilBack(const std::vector<std::string>& logs, size_t before) const {
    for (int i = 0; i < 5; ++i) {
      kill(CoordinatorPid(), SIGKILL);
      for (int wait = 0; wait < 200; ++wait) {
        usleep(50'000);
        const auto is_back = [&](const std::string& log) { return Count(Read(log), "is back") > before; };
        if (std::ranges::all_of(logs, is_back)) return true;
      }
    }
    return false;
  }
  static size_t Count(const std::string& text, const std::string& part) {
    size_t count = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
    return count;
  }

  std::string Recipe() const {
    return Write("recipe.yaml", "name: tiny\ndataset: {path: " + dir_ + "}\nlabels: {study: t}\n");
  }
};

TEST_F(UpTest, StartsOnceAndLeavesNoProcessAfterDown) {
  const ProgramResult up = Run(kUp);
  ASSERT_EQ(up.exit_code, 0) << up.err << Read(Paths().coordinator_log);
  EXPECT_THAT(up.out, HasSubstr("coordinator  127.0.0.1:"));
  EXPECT_THAT(up.out, HasSubstr("/metrics"));
  const ProgramResult again = Run(kUp);
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_THAT(again.err, HasSubstr("already running"));
  EXPECT_EQ(again.out, up.out);
  const pid_t supervisor = ReadSupervisorFile(Paths())->pid, coordinator = CoordinatorPid();
  EXPECT_EQ(Run("down").exit_code, 0);
  EXPECT_THAT(ProgramOf(supervisor), IsEmpty());
  EXPECT_THAT(ProgramOf(coordinator), IsEmpty());
  EXPECT_EQ(Run("status").exit_code, 5);
}

TEST_F(UpTest, TwoAtOnceStartOneStackAndBothSayWhereItIs) {
  const std::string up = std::string("'") + RIDGELINE_PROGRAM + "' " + kUp;
  const std::string script = Write("two.sh", "export RIDGELINE_STATE='" + state_ + "'\nunset RIDGELINE_COORDINATOR\n" +
                                                 up + " >" + dir_ + "/one.out 2>&1 & one=$!\n" + up + " >" + dir_ +
                                                 "/two.out 2>&1 & two=$!\nwait $one && wait $two\n");
  EXPECT_EQ(std::system(("timeout -k 5 150 sh " + script).c_str()), 0)
      << Read(dir_ + "/one.out") << Read(dir_ + "/two.out");
  const std::string where = "coordinator  " + ReadCoordinatorFile(Paths())->address;
  EXPECT_THAT(Read(dir_ + "/one.out"), HasSubstr(where));
  EXPECT_THAT(Read(dir_ + "/two.out"), HasSubstr(where));
}

TEST_F(UpTest, VerbsReachTheCoordinatorByItsSocketWhenTheNetworkIsClosedToThem) {
  ASSERT_EQ(Run(kUp).exit_code, 0);
  const std::string file = Read(Paths().coordinator_file);
  std::string elsewhere = file;
  const std::string address = ReadCoordinatorFile(Paths())->address;
  elsewhere.replace(elsewhere.find(address), address.size(), "127.0.0.1:1");
  std::ofstream(Paths().coordinator_file) << elsewhere;
  EXPECT_EQ(Run("list -o name").exit_code, 0);
  std::ofstream(Paths().coordinator_file) << file;
}

TEST_F(UpTest, KilledCoordinatorComesBackAtTheSameAddressWithItsJobs) {
  ASSERT_EQ(Run(kUp).exit_code, 0);
  const std::string address = ReadCoordinatorFile(Paths())->address;
  const ProgramResult submitted = Run("submit -f " + Recipe() + " -o name --request-id once");
  ASSERT_EQ(submitted.exit_code, 0) << submitted.err;
  const pid_t first = CoordinatorPid();
  ASSERT_EQ(kill(first, SIGKILL), 0);
  ASSERT_TRUE(Eventually([&] { return CoordinatorPid() != first && CoordinatorPid() != 0; }));
  EXPECT_EQ(ReadCoordinatorFile(Paths())->address, address);
  EXPECT_EQ(Run("list -o name").out, submitted.out);
  EXPECT_EQ(Run("submit -f " + Recipe() + " -o name --request-id once").out, submitted.out);
  EXPECT_EQ(Run("list -o name").out, submitted.out);
}

TEST_F(UpTest, FilesOfAKilledSupervisorMisleadNobody) {
  ASSERT_EQ(Run(kUp).exit_code, 0);
  const std::string stale_supervisor = Read(Paths().supervisor_file),
                    stale_coordinator = Read(Paths().coordinator_file);
  const pid_t supervisor = ReadSupervisorFile(Paths())->pid;
  ASSERT_EQ(kill(supervisor, SIGKILL), 0);
  ASSERT_TRUE(Eventually([&] { return FindByCookie(Paths().CoordinatorCookie()).empty(); }));
  Write("state/supervisor.json", stale_supervisor);
  Write("state/coordinator.json", stale_coordinator);
  EXPECT_EQ(Run("status").exit_code, 5);
  const ProgramResult up = Run(kUp);
  EXPECT_EQ(up.exit_code, 0) << up.err;
  EXPECT_EQ(Run("status").exit_code, 0);
}

TEST_F(UpTest, DownEndsWhatAKilledSupervisorLeftAlsoIfItIgnoresSigterm) {
  std::filesystem::create_directories(state_);
  SpawnSpec stray;
  stray.argv = {"/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done"};
  stray.environment = {{kCookieVariable, Paths().WorkerCookie()}};
  stray.log_path = dir_ + "/log";
  const auto pid = Spawn(stray);
  ASSERT_TRUE(pid.ok());
  EXPECT_THAT(Run("down").err, HasSubstr("stopped"));
  int status = 0;
  EXPECT_EQ(waitpid(*pid, &status, 0), *pid);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_THAT(FindByCookie(Paths().WorkerCookie()), IsEmpty());
}

TEST_F(UpTest, WatchRidesOutAKilledCoordinatorAndSaysSo) {
  ASSERT_EQ(Run(kUp).exit_code, 0);
  ASSERT_EQ(Run("submit -f " + Recipe() + " -o name").out, "job-1\n");
  const std::string log = dir_ + "/watch", code = dir_ + "/code";
  const std::string command = "(RIDGELINE_STATE='" + state_ + "' timeout 80 '" + RIDGELINE_PROGRAM +
                              "' watch job-1 >/dev/null 2>'" + log + "'; echo $? >'" + code + "') &";
  ASSERT_EQ(std::system(command.c_str()), 0);
  ASSERT_TRUE(Eventually([&] { return Read(log).find("job-1") != std::string::npos; }));
  ASSERT_EQ(kill(CoordinatorPid(), SIGKILL), 0);
  EXPECT_TRUE(Eventually([&] { return Read(log).find("the coordinator is back") != std::string::npos; })) << Read(log);
  EXPECT_EQ(Run("cancel job-1").exit_code, 0);
  EXPECT_TRUE(Eventually([&] { return Read(code) == "11\n"; })) << Read(log);
}

TEST_F(UpTest, FollowersStayWithTheirJobWhenANewerOneTakesItsName) {
  ASSERT_EQ(Run(kUp).exit_code, 0);
  ASSERT_EQ(Run("submit -f " + Recipe() + " -o name").out, "job-1\n");
  const std::vector<std::string> verbs = {"watch", "wait", "logs -f"};
  std::vector<std::string> logs, codes;
  for (size_t i = 0; i < verbs.size(); ++i) {
    logs.push_back(dir_ + "/log" + std::to_string(i));
    codes.push_back(dir_ + "/code" + std::to_string(i));
    const std::string command = "(RIDGELINE_STATE='" + state_ + "' timeout 150 '" + RIDGELINE_PROGRAM + "' " +
                                verbs[i] + " tiny >/dev/null 2>'" + logs[i] + "'; echo $? >'" + codes[i] + "') &";
    ASSERT_EQ(std::system(command.c_str()), 0);
  }
  ASSERT_TRUE(Eventually([&] { return Read(logs[0]).find("job-1") != std::string::npos; }));
  ASSERT_TRUE(KillCoordinatorUntilBack(logs, 0));
  ASSERT_EQ(Run("submit -f " + Recipe() + " -o name").out, "job-2\n");
  size_t most = 0;
  for (const std::string& log : logs) most = std::max(most, Count(Read(log), "is back"));
  ASSERT_TRUE(KillCoordinatorUntilBack(logs, most));
  EXPECT_EQ(Run("cancel job-1").exit_code, 0);
  const std::vector<std::string> expected = {"11\n", "11\n", "0\n"};
  for (size_t i = 0; i < verbs.size(); ++i) {
    EXPECT_TRUE(Eventually([&] { return Read(codes[i]) == expected[i]; })) << verbs[i] << ": " << Read(logs[i]);
  }
}

TEST_F(UpTest, APortThatIsTakenIsToldAtOnceWithTheCoordinatorsWords) {
  ASSERT_EQ(Run(kUp).exit_code, 0);
  const std::string address = ReadCoordinatorFile(Paths())->address;
  const std::string other = dir_ + "/other";
  const ProgramResult result = Run("--state " + other + " up --ranks 0 --metrics 127.0.0.1:0 --listen " + address);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("did not start"));
  EXPECT_THAT(result.err, HasSubstr(address));
  EXPECT_FALSE(SupervisorIsAlive(StackPaths(other)));
}

TEST_F(UpTest, VerbsReadAndChangeJobs) {
  ASSERT_EQ(Run(kUp).exit_code, 0);
  ASSERT_EQ(Run("submit -f " + Recipe() + " -o name").out, "job-1\n");
  EXPECT_THAT(Run("list").out, HasSubstr("tiny"));
  EXPECT_EQ(Run("list -o name -l study=t --state queued").out, "job-1\n");
  EXPECT_EQ(Run("list -o name -l study=other").out, "");
  EXPECT_THAT(Run("get job-1").out, HasSubstr("state       queued"));
  EXPECT_THAT(Run("get job-1 -o json").out, HasSubstr("\"state\": \"QUEUED\""));
  EXPECT_THAT(Run("get tiny -o yaml").out, HasSubstr("state: QUEUED"));
  EXPECT_THAT(Run("status -o json").out, HasSubstr("\"jobs_by_state\""));
  EXPECT_EQ(Run("wait job-1 --timeout 300ms").exit_code, 12);
  EXPECT_EQ(Run("retry job-1").exit_code, 6);
  EXPECT_EQ(Run("cancel job-1 job-99").exit_code, 3);
  EXPECT_EQ(Run("wait job-1").exit_code, 11);
  EXPECT_EQ(Run("wait job-1 --for terminal").out, "job-1 cancelled\n");
  EXPECT_EQ(Run("watch job-1").exit_code, 11);
  EXPECT_EQ(Run("retry job-1").out, "job-1 queued\n");
  EXPECT_EQ(Run("get job-99").exit_code, 3);
  EXPECT_EQ(Run("logs job-99").exit_code, 3);
  EXPECT_EQ(Run("logs job-1").exit_code, 0);
}

TEST_F(UpTest, FrontierExportWithoutPointsIsAHeaderAndPlotSaysWhy) {
  ASSERT_EQ(Run(kUp).exit_code, 0);
  EXPECT_THAT(Run("frontier export").out, testing::StartsWith("point_id,job_id,model,"));
  const ProgramResult plot = Run("frontier plot --out " + dir_ + "/f.svg");
  EXPECT_EQ(plot.exit_code, 1);
  EXPECT_THAT(plot.err, HasSubstr("point"));
}

TEST_F(UpTest, CtrlCDetachesAndTheJobGoesOn) {
  ASSERT_EQ(Run(kUp).exit_code, 0);
  ASSERT_EQ(Run("submit -f " + Recipe() + " -o name").out, "job-1\n");
  const std::string log = dir_ + "/watch";
  for (const std::string verb : {"watch", "wait", "logs -f"}) {
    const std::string command = "RIDGELINE_STATE='" + state_ + "' timeout -s INT 2 '" + RIDGELINE_PROGRAM + "' " +
                                verb + " job-1 >/dev/null 2>'" + log + "'; [ $? = 124 ] && grep -q detached '" + log +
                                "'";
    EXPECT_EQ(std::system(command.c_str()), 0) << verb << ": " << Read(log);
  }
  EXPECT_EQ(Run("list -o name --state queued").out, "job-1\n");
}

}  // namespace
}  // namespace ridgeline
