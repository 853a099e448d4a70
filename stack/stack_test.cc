// SPDX-License-Identifier: Apache-2.0
#include "stack/stack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "common/file.h"
#include "stack/process.h"
#include "stack/supervisor.h"

namespace ridgeline {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class StackTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/ridgeline-stack-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  std::string dir_;
};

TEST_F(StackTest, OneFolderHasOneCookieHoweverItIsSpelt) {
  EXPECT_EQ(StackPaths(dir_ + "/x/../").WorkerCookie(), StackPaths(dir_).WorkerCookie());
  EXPECT_NE(StackPaths(dir_).WorkerCookie(), StackPaths(dir_).CoordinatorCookie());
}

TEST_F(StackTest, CoordinatorIsFoundByItsStateFolder) {
  const StackPaths paths(dir_);
  ASSERT_TRUE(WriteFileAtomically(paths.coordinator_file, R"({"pid": 1, "address": "127.0.0.1:7117"})").ok());
  EXPECT_EQ(FindCoordinator(paths)->address, "127.0.0.1:7117");
  EXPECT_FALSE(FindCoordinator(paths)->has_tls);
  ASSERT_TRUE(WriteFileAtomically(paths.coordinator_file, R"({"address": "ridge:1", "tls": true})").ok());
  EXPECT_TRUE(FindCoordinator(paths)->has_tls);
}

TEST_F(StackTest, LocalRanksGetNothingThatIsMeantForAnotherCoordinator) {
  const SpawnSpec spec = WorkerSpawnSpec(StackPaths(dir_), {.ranks = 1}, "127.0.0.1:7117");
  for (const char* name : {"RIDGELINE_TLS_CA", "RIDGELINE_TLS_KEY", "RIDGELINE_TOKEN", "RIDGELINE_TOKEN_FILE"})
    EXPECT_TRUE(spec.leaves_out(name)) << name;
  EXPECT_TRUE(spec.leaves_out("SLURM_JOB_ID"));
  EXPECT_FALSE(spec.leaves_out("RIDGELINE_DEVICE"));
}

TEST_F(StackTest, WithoutCoordinatorTheErrorNamesTheRemedy) {
  const absl::Status status = FindCoordinator(StackPaths(dir_)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("`ridgeline up`"));
}

TEST_F(StackTest, TornStateFilesAreErrorsNotAddresses) {
  const StackPaths paths(dir_);
  for (const char* text : {"", "{", "[]", "{\"address\": 7}", "{}"}) {
    ASSERT_TRUE(WriteFileAtomically(paths.coordinator_file, text).ok());
    EXPECT_EQ(ReadCoordinatorFile(paths).status().code(), absl::StatusCode::kDataLoss) << text;
  }
}

TEST_F(StackTest, SupervisorFileReadsBack) {
  const StackPaths paths(dir_);
  SupervisorFile file;
  file.pid = 12;
  file.ranks = 3;
  file.worker_restarts = 4;
  ASSERT_TRUE(WriteSupervisorFile(paths, file).ok());
  const auto read = ReadSupervisorFile(paths);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->pid, 12);
  EXPECT_EQ(read->ranks, 3);
  EXPECT_EQ(read->worker_restarts, 4);
}

TEST_F(StackTest, SupervisorIsAliveExactlyWhileItsLockIsHeld) {
  const StackPaths paths(dir_);
  EXPECT_FALSE(SupervisorIsAlive(paths));
  {
    const auto lock = SupervisorLock::Acquire(paths);
    ASSERT_TRUE(lock.ok());
    EXPECT_TRUE(SupervisorIsAlive(paths));
    EXPECT_EQ(SupervisorLock::Acquire(paths).status().code(), absl::StatusCode::kAlreadyExists);
  }
  EXPECT_FALSE(SupervisorIsAlive(paths));
  EXPECT_TRUE(SupervisorLock::Acquire(paths).ok());
}

TEST_F(StackTest, ProcessesAreFoundByCookieAlsoAfterTheirParentDied) {
  const std::string cookie = dir_ + "#worker";
  SpawnSpec spec;
  spec.argv = {"/bin/sh", "-c", "sleep 60 & exit 0"};
  spec.environment = {{kCookieVariable, cookie}};
  spec.log_path = dir_ + "/log";
  const auto pid = Spawn(spec);
  ASSERT_TRUE(pid.ok());
  ASSERT_EQ(waitpid(*pid, nullptr, 0), *pid);
  ASSERT_EQ(FindByCookie(cookie).size(), 1u);
  EXPECT_THAT(FindByCookie(cookie + "x"), IsEmpty());
  EXPECT_EQ(SignalByCookie(cookie, SIGKILL), 1);
  while (!FindByCookie(cookie).empty()) usleep(1'000);
}

TEST_F(StackTest, AProcessIsFoundAlsoWhileItTurnsIntoAnotherProgram) {
  const std::string cookie = dir_ + "#worker";
  SpawnSpec spec;
  // Turns into itself, again and again.
  spec.argv = {"/bin/sh", "-c", R"(exec /bin/sh -c "$0" "$0")", R"(exec /bin/sh -c "$0" "$0")"};
  spec.environment = {{kCookieVariable, cookie}};
  spec.log_path = dir_ + "/log";
  const auto pid = Spawn(spec);
  ASSERT_TRUE(pid.ok());
  while (FindByCookie(cookie).empty()) usleep(1'000);  // It carries the cookie from its first program on.
  int missed = 0;
  for (int look = 0; look < 200; ++look) missed += FindByCookie(cookie).empty();
  EXPECT_EQ(missed, 0);
  EXPECT_GE(KillByCookie(cookie), 1);
  EXPECT_EQ(waitpid(*pid, nullptr, 0), *pid);
}

TEST_F(StackTest, OutputOfAChildGoesToItsLog) {
  SpawnSpec spec;
  spec.argv = {"/bin/sh", "-c", "echo $GREETING; echo two >&2"};
  spec.environment = {{"GREETING", "one"}};
  spec.log_path = dir_ + "/log";
  const auto pid = Spawn(spec);
  ASSERT_TRUE(pid.ok());
  ASSERT_EQ(waitpid(*pid, nullptr, 0), *pid);
  EXPECT_EQ(*ReadFile(spec.log_path), "one\ntwo\n");
  EXPECT_EQ(LogTail(spec.log_path, 1), "    two\n");
}

TEST_F(StackTest, RunAndCaptureSaysWhenAProgramIsMissing) {
  EXPECT_EQ(*RunAndCapture({"/bin/echo", "hello"}), "hello\n");
  EXPECT_EQ(RunAndCapture({"/nonexistent/program"}).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(StackTest, RanksShareTheCores) {
  const SpawnSpec spec = WorkerSpawnSpec(StackPaths(dir_), {.ranks = 4096}, "127.0.0.1:7117");
  EXPECT_EQ(spec.environment.at("OMP_NUM_THREADS"), "1");
  EXPECT_THAT(spec.argv, Contains("4096"));
  EXPECT_EQ(spec.environment.contains("OMPI_ALLOW_RUN_AS_ROOT"), geteuid() == 0);
}

TEST_F(StackTest, RanksAreToldWhatToComputeOn) {
  const SpawnSpec spec = WorkerSpawnSpec(StackPaths(dir_), {.ranks = 2, .device = "cuda"}, "127.0.0.1:7117");
  const auto flag = std::find(spec.argv.begin(), spec.argv.end(), "--device");
  ASSERT_LT(flag - spec.argv.begin(), std::ssize(spec.argv) - 1);
  EXPECT_EQ(flag[1], "cuda");
}

TEST_F(StackTest, RanksAreToldTheirTimeOutAndTheirLabels) {
  const SupervisorOptions options{.ranks = 2, .hang_timeout_seconds = 7.5, .labels = {"site=north", "net=ib"}};
  EXPECT_THAT(WorkerArguments(options),
              ElementsAre("--hang-timeout", "7.5", "--label", "site=north", "--label", "net=ib"));
  const SpawnSpec spec = WorkerSpawnSpec(StackPaths(dir_), options, "127.0.0.1:7117");
  for (const std::string& argument : WorkerArguments(options)) EXPECT_THAT(spec.argv, Contains(argument));
  EXPECT_THAT(WorkerArguments({.ranks = 2}), IsEmpty()) << "the worker's defaults are its own";
}

TEST(RestartBackoff, DoublesUpToALimitAndStartsOverAfterALongLife) {
  RestartBackoff backoff;
  EXPECT_EQ(backoff.NextDelayMs(10), 200);
  EXPECT_EQ(backoff.NextDelayMs(10), 400);
  for (int i = 0; i < 20; ++i) backoff.NextDelayMs(10);
  EXPECT_EQ(backoff.NextDelayMs(10), 10'000);
  EXPECT_EQ(backoff.NextDelayMs(60'000), 200);
}

TEST(WithPortOf, KeepsTheHost) {
  EXPECT_EQ(WithPortOf("0.0.0.0:0", "127.0.0.1:4711"), "0.0.0.0:4711");
  EXPECT_EQ(WithPortOf("[::1]:0", "127.0.0.1:4711"), "[::1]:4711");
}

}  // namespace
}  // namespace ridgeline
