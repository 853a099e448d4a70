// SPDX-License-Identifier: Apache-2.0
// One rank of what no test survives: tests/shard/communicator_test.py starts it under mpirun with the name of what
// shall happen, and reads what the ranks print.
//   absent RANK    RANK comes to no collective, and computes
//   stopped RANK   RANK stops itself (SIGSTOP) while it waits for rank 0
//   killed RANK    RANK kills itself
//   late RANK      RANK computes, rank 0 comes late to the collective in which the others wait for both
//   hurry          rank 0 is in a hurry while rank 1 is absent, with a long time-out
#include <mpi.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "comm/mpi/mpi_communicator.h"

namespace ridgeline {
namespace {

constexpr int64_t kShortMs = 2'000, kLongMs = 3'600'000;

constexpr unsigned kLastWordsSeconds = 5;

// Rank 0 gives all ranks the time to print, the others give it to rank 0.
[[noreturn]] void PrintAndAbort(const absl::Status& status, int rank) {
  std::printf("%s\n", status.ok() ? "the collective ended" : std::string(status.message()).c_str());
  std::fflush(stdout);
  sleep(rank == 0 ? kLastWordsSeconds : 2 * kLastWordsSeconds);
  MPI_Abort(MPI_COMM_WORLD, 2);
  std::abort();
}

void SumOrAbort(Communicator& ranks) {
  float value = 1;
  PrintAndAbort(ranks.AllReduceSum(std::span<float>(&value, 1), "gradients"), ranks.rank());
}

void Run(const std::string& scene, int rank_of_scene, Communicator& ranks) {
  const bool mine = ranks.rank() == rank_of_scene;
  if (mine && scene == "killed") raise(SIGKILL);
  if (mine && scene == "stopped") raise(SIGSTOP);
  if (mine) {
    sleep(600);
    return;
  }
  if (scene == "late" && ranks.rank() == 0) usleep(kShortMs * 500);
  SumOrAbort(ranks);
}

}  // namespace
}  // namespace ridgeline

int main(int argc, char** argv) {
  int provided = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  const std::string scene = argc > 1 ? argv[1] : "";
  const bool hurry = scene == "hurry";
  const auto ranks =
      ridgeline::MakeMpiCommunicator(hurry ? ridgeline::kLongMs : ridgeline::kShortMs, [hurry] { return hurry; });
  ridgeline::Run(scene, argc > 2 ? std::atoi(argv[2]) : 1, *ranks);
  MPI_Finalize();
  return 0;
}
