// SPDX-License-Identifier: Apache-2.0
// The real mpirun, in environments in which it does not start by itself.
#include "stack/mpirun.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>

namespace ridgeline {
namespace {

using testing::HasSubstr;

constexpr int64_t kLimit_ms = 120'000;

// Ends well as one of two ranks.
const std::vector<std::string> kRank = {"/bin/sh", "-c", "test \"$OMPI_COMM_WORLD_SIZE\" = 2"};

// In a child, so that what it changes ends with it. Returns its exit code.
int InChild(const std::function<int()>& run) {
  const pid_t pid = fork();
  if (pid == 0) _exit(run());
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int TryWith(const std::map<std::string, std::string>& variables) {
  return InChild([&] {
    for (const auto& [name, value] : variables) setenv(name.c_str(), value.c_str(), 1);
    const absl::Status status = TryMpirun(kRank, kLimit_ms);
    if (!status.ok()) fprintf(stderr, "%s\n", std::string(status.message()).c_str());
    return status.ok() ? 0 : 1;
  });
}

class MpirunTest : public testing::Test {
 protected:
  void SetUp() override {
    if (FindMpirun().empty()) GTEST_SKIP() << "mpirun is not on PATH";
  }
};

TEST_F(MpirunTest, StartsTwoRanks) { EXPECT_EQ(TryWith({}), 0); }

TEST_F(MpirunTest, StartsWherePathBeginsWithALinkToItsFolder) {
  const std::string path = std::getenv("PATH");
  EXPECT_EQ(TryWith({{"PATH", "/bin:" + path}}), 0);
  const std::string link = testing::TempDir() + "/ridgeline-bin-" + std::to_string(getpid());
  std::filesystem::create_symlink(std::filesystem::path(FindMpirun()).parent_path(), link);
  EXPECT_EQ(TryWith({{"PATH", link}}), 0);
  std::filesystem::remove(link);
}

TEST_F(MpirunTest, StartsInABatchJobOnAnotherNode) {
  EXPECT_EQ(TryWith({{"SLURM_JOBID", "5"},
                     {"SLURM_JOB_ID", "5"},
                     {"SLURM_NODELIST", "far[1-2]"},
                     {"SLURM_JOB_NODELIST", "far[1-2]"},
                     {"SLURM_TASKS_PER_NODE", "1(x2)"},
                     {"SLURM_NNODES", "2"},
                     {"SLURM_PROCID", "0"},
                     {"SLURM_STEP_ID", "0"}}),
            0);
  EXPECT_EQ(TryWith({{"SGE_ROOT", "/far"}, {"ARC", "lx"}, {"JOB_ID", "5"}, {"PE_HOSTFILE", "/far/hosts"}}), 0);
}

TEST_F(MpirunTest, StartsInARankOfAnotherLauncher) {
  EXPECT_EQ(TryWith({{"PMI_RANK", "1"},
                     {"PMI_SIZE", "2"},
                     {"PMI_FD", "9"},
                     {"PMIX_RANK", "0"},
                     {"PMIX_NAMESPACE", "1"},
                     {"PMIX_SERVER_URI2", "1.0;tcp4://127.0.0.1:1"},
                     {"OMPI_COMM_WORLD_RANK", "0"},
                     {"OMPI_COMM_WORLD_SIZE", "9"},
                     {"OMPI_UNIVERSE_SIZE", "9"},
                     {"OMPI_MCA_ess", "pmi"},
                     {"OMPI_MCA_ess_base_jobid", "123"},
                     {"OMPI_MCA_orte_hnp_uri", "1.0;tcp://127.0.0.1:1"},
                     {"OMPI_MCA_pmix", "^s1,s2,cray,isolated"}}),
            0);
}

TEST_F(MpirunTest, StartsUnderARealMpirun) {
  SpawnSpec outer = MpirunSpec(
      1, {std::filesystem::read_symlink("/proc/self/exe").string(), "--gtest_filter=MpirunTest.StartsTwoRanks"});
  const absl::StatusOr<Finished> finished = RunFor(outer, kLimit_ms);
  ASSERT_TRUE(finished.ok()) << finished.status();
  EXPECT_EQ(finished->exit_code, 0) << finished->output;
  EXPECT_THAT(finished->output, HasSubstr("PASSED"));
}

TEST_F(MpirunTest, StartsWhereAListOfHostsNamesOthers) {
  EXPECT_EQ(TryWith({{"OMPI_MCA_orte_default_hostfile", "/nonexistent/hosts"}}), 0);
}

TEST_F(MpirunTest, StartsOnAHostWithALongName) {
  for (const std::string& name : {std::string(57, 'h'), std::string(63, 'h'), std::string(59, 'h') + "1234",
                                  "a" + std::string(30, '1') + std::string(32, 'b')}) {
    const int exit_code = InChild([&] {
      if (unshare(CLONE_NEWUTS) != 0 || sethostname(name.data(), name.size()) != 0) return 77;
      return TryWith({});
    });
    if (exit_code == 77) GTEST_SKIP() << "only root names a host";
    EXPECT_EQ(exit_code, 0) << name;
  }
}

TEST_F(MpirunTest, AFailureCarriesWhatWasSaid) {
  const absl::Status status = TryMpirun({"/bin/sh", "-c", "echo out of luck; exit 9"}, kLimit_ms);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("out of luck"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("exit code 9"));
}

TEST_F(MpirunTest, WhatDoesNotEndIsEnded) {
  const absl::Status status = TryMpirun({"/bin/sh", "-c", "sleep 3600"}, 1'000);
  EXPECT_THAT(std::string(status.message()), HasSubstr("did not end within 1 s"));
}

TEST(IsOfAnotherLauncher, KeepsWhatAPersonSets) {
  for (const char* name : {"PATH", "HOME", "OMP_NUM_THREADS", "LD_LIBRARY_PATH", "OMPI_MCA_btl", "OMPI_MCA_mtl",
                           "OMPI_MCA_orte_tmpdir_base", "OMPI_ALLOW_RUN_AS_ROOT", "PMIX_MCA_gds", "SLURMX", "PBSPRO"}) {
    EXPECT_FALSE(IsOfAnotherLauncher(name)) << name;
  }
}

}  // namespace
}  // namespace ridgeline
