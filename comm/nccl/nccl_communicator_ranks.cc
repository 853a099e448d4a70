// SPDX-License-Identifier: Apache-2.0
// The contract between the ranks of an MPI job that have a GPU each, over NCCL: mpirun -n N nccl_communicator_ranks.
// The exit status is 77 where this host has fewer GPUs than ranks. NCCL does not notice ranks with other sizes, so that
// is not asked of it.
#include <gtest/gtest.h>
#include <mpi.h>

#include <cstdio>

#include "comm/contract_test.h"
#include "comm/mpi/mpi_communicator.h"
#include "comm/nccl/nccl_communicator.h"
#include "comm/nccl/through_devices.h"

namespace ridgeline {
namespace {

constexpr int kNothingToTryOn = 77;
int device = 0;

int LocalRank() {
  MPI_Comm node;
  int rank = 0;
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
  MPI_Comm_rank(node, &rank);
  MPI_Comm_free(&node);
  return rank;
}

}  // namespace

void OnEveryRank(const std::function<void(Communicator&)>& body, int64_t timeout_ms) {
  {
    const CallersStream stream;
    auto ranks = MakeNcclCommunicator(MakeMpiCommunicator(timeout_ms, [] { return false; }),
                                      {.device = device, .caller_stream = [&] { return stream.get(); }});
    ASSERT_EQ(ranks.status(), absl::OkStatus());
    ThroughDevices through(*std::move(ranks));
    body(through);
  }
  MPI_Barrier(MPI_COMM_WORLD);
}

}  // namespace ridgeline

int main(int argc, char** argv) {
  int provided = 0, gpus = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  ridgeline::device = ridgeline::LocalRank();
  const cudaError_t found = cudaGetDeviceCount(&gpus);
  int lacks = found != cudaSuccess || gpus <= ridgeline::device ? 1 : 0;
  if (lacks != 0)
    std::fprintf(stderr,
                 "nccl_communicator_ranks: not run: rank %d of this host has no GPU of its own (%d found: %s)\n",
                 ridgeline::device, gpus, cudaGetErrorString(found));
  MPI_Allreduce(MPI_IN_PLACE, &lacks, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
  int status = ridgeline::kNothingToTryOn;
  if (lacks == 0) {
    testing::GTEST_FLAG(filter) = "-*OtherSizes*:*ExpectsAnotherPart*";
    testing::InitGoogleTest(&argc, argv);
    status = RUN_ALL_TESTS();
  }
  MPI_Finalize();
  return status;
}
