// SPDX-License-Identifier: Apache-2.0
// One rank of a test of the MPI communicator: tests/shard/communicator_test.py starts it under mpirun with the name of
// what shall happen, and reads what the ranks print.
//   sums           every collective, compared with what it must give; prints "ok"
//   absent RANK    RANK comes to no collective, and computes
//   stopped RANK   RANK stops itself (SIGSTOP) while it waits for rank 0
//   killed RANK    RANK kills itself
//   hurry          rank 0 is in a hurry while rank 1 is absent, with a long time-out
#include <mpi.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <string>

#include "comm/mpi/mpi_communicator.h"

namespace ridgeline {
namespace {

constexpr int64_t kShortMs = 2'000, kLongMs = 3'600'000;

void Expect(bool truth, const char* what) {
  if (truth) return;
  std::printf("wrong: %s\n", what);
  std::fflush(stdout);
  MPI_Abort(MPI_COMM_WORLD, 3);
}

[[noreturn]] void PrintAndAbort(const absl::Status& status) {
  std::printf("%s\n", status.ok() ? "the collective ended" : std::string(status.message()).c_str());
  std::fflush(stdout);
  MPI_Abort(MPI_COMM_WORLD, 2);
  std::abort();
}

// Enough numbers for more than one message, each another one.
template <typename T>
void CheckSum(Communicator& ranks) {
  std::vector<T> values(100'000);
  std::iota(values.begin(), values.end(), static_cast<T>(ranks.rank()));
  Expect(ranks.AllReduceSum(std::span<T>(values), "sum").ok(), "sum ends");
  const int n = ranks.size();
  for (size_t i = 0; i < values.size(); ++i)
    Expect(values[i] == static_cast<T>(n * (n - 1) / 2 + static_cast<int>(i) * n), "sum");
}

void CheckBytes(Communicator& ranks) {
  for (size_t size : {size_t{0}, size_t{1}, size_t{100'000}}) {
    const std::string sent(size, '\0' + 7);
    std::string told = ranks.rank() == 0 ? sent : "something else", awaited = told;
    Expect(ranks.BroadcastFromRoot(&told, "broadcast").ok() && told == sent, "broadcast");
    Expect(ranks.AwaitRoot(&awaited, "wait").ok() && awaited == sent, "wait");
    std::vector<std::string> by_rank;
    Expect(ranks.GatherToRoot(std::string(size * static_cast<size_t>(ranks.rank()), 'x'), &by_rank, "gather").ok(),
           "gather ends");
    Expect(by_rank.size() == (ranks.rank() == 0 ? static_cast<size_t>(ranks.size()) : 0), "gather");
    for (size_t rank = 0; rank < by_rank.size(); ++rank) Expect(by_rank[rank].size() == size * rank, "gathered bytes");
  }
}

void Sums(Communicator& ranks) {
  CheckSum<float>(ranks);
  CheckSum<double>(ranks);
  CheckBytes(ranks);
  std::printf("ok\n");
}

void SumOrAbort(Communicator& ranks) {
  float value = 1;
  PrintAndAbort(ranks.AllReduceSum(std::span<float>(&value, 1), "gradients"));
}

void Run(const std::string& scene, int rank_of_scene, Communicator& ranks) {
  if (scene == "sums") return Sums(ranks);
  const bool mine = ranks.rank() == rank_of_scene;
  if (mine && scene == "killed") raise(SIGKILL);
  if (mine && scene == "stopped") raise(SIGSTOP);
  if (mine) {
    sleep(600);
    return;
  }
  SumOrAbort(ranks);
}

}  // namespace
}  // namespace ridgeline

int main(int argc, char** argv) {
  int provided = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  const std::string scene = argc > 1 ? argv[1] : "sums";
  const bool hurry = scene == "hurry";
  const auto ranks =
      ridgeline::MakeMpiCommunicator(hurry ? ridgeline::kLongMs : ridgeline::kShortMs, [hurry] { return hurry; });
  ridgeline::Run(scene, argc > 2 ? std::atoi(argv[2]) : 1, *ranks);
  MPI_Finalize();
  return 0;
}
