// SPDX-License-Identifier: Apache-2.0
// The contract over NCCL's backend, with the host's implementation of CUDA and NCCL in the place of theirs
// (host/host_cuda.h): all that the contract's tests exchange lies in memory of devices. And what this backend adds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "comm/contract_test.h"
#include "comm/nccl/host/host_nccl.h"
#include "comm/nccl/nccl_communicator.h"
#include "comm/nccl/through_devices.h"
#include "comm/threads/thread_communicator.h"

namespace ridgeline {
namespace {

using testing::AllOf;
using testing::HasSubstr;

enum class Users { kOfDevices, kOfTheHost };

// Runs `body` as every rank, with the backend itself or, for those whose memory is the host's, through devices.
void OnEveryGpu(int size, int64_t timeout_ms, Users users, const std::function<void(Communicator&)>& body) {
  auto hosts = MakeThreadCommunicators(size, timeout_ms);
  std::vector<std::thread> threads;
  for (auto& host : hosts)
    threads.emplace_back([&body, users, host = std::move(host)]() mutable {
      const CallersStream stream;
      auto ranks = MakeNcclCommunicator(std::move(host), {.device = 0, .caller_stream = [&] { return stream.get(); }});
      ASSERT_EQ(ranks.status(), absl::OkStatus());
      if (users == Users::kOfDevices) return body(**ranks);
      ThroughDevices through(*std::move(ranks));
      body(through);
    });
  for (std::thread& thread : threads) thread.join();
}

MemorySpan<float> OfDevice(std::vector<float>& values) { return {values.data(), std::ssize(values), Memory::kDevice}; }

TEST(NcclCommunicatorTest, AConnectionThatBreaksNamesRankOperationNumberAndStepAndEndsTheOthers) {
  const int before = host_nccl::AbortCount();
  std::vector<float> by_rank[2] = {std::vector<float>(10, 1), std::vector<float>(10, 1)};  // Outlive the streams.
  OnEveryGpu(2, kShortTimeoutMs, Users::kOfDevices, [&by_rank](Communicator& ranks) {
    std::vector<float>& values = by_rank[ranks.rank()];
    ranks.SetStep("step 7");
    ASSERT_EQ(ranks.AllReduceSum(OfDevice(values), "gradients"), absl::OkStatus());
    ASSERT_EQ(ranks.Synchronize(), absl::OkStatus());
    host_nccl::FailNext(ncclRemoteError);
    absl::Status status = ranks.AllReduceSum(OfDevice(values), "weights");
    if (status.ok()) status = ranks.Synchronize();
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("'weights' at step 7"), HasSubstr("a peer is gone"), HasSubstr("operation 2"),
                      HasSubstr("this rank, " + std::to_string(ranks.rank()) + " of 2")));
    EXPECT_EQ(ranks.AllReduceSum(OfDevice(values), "later"), status) << "it stays so";
    EXPECT_EQ(ranks.Synchronize(), status);
  });
  EXPECT_EQ(host_nccl::AbortCount(), before + 2);
}

TEST(NcclCommunicatorTest, AnOperationComesAfterWhatTheCallersStreamHasBeenGivenAndBeforeWhatItIsGivenThen) {
  auto hosts = MakeThreadCommunicators(2);
  std::vector<std::thread> threads;
  for (auto& host : hosts)
    threads.emplace_back([host = std::move(host)]() mutable {
      const CallersStream stream;
      auto ranks = MakeNcclCommunicator(std::move(host), {.device = 0, .caller_stream = [&] { return stream.get(); }});
      ASSERT_EQ(ranks.status(), absl::OkStatus());
      std::vector<float> values(100'000, 0), seen(1, 0);
      // What the operation is to see is written late.
      const std::vector<float> late(values.size(), 1);
      for (int i = 0; i < 50; ++i)
        cudaMemcpyAsync(values.data(), late.data(), late.size() * sizeof(float), cudaMemcpyDeviceToDevice,
                        stream.get());
      ASSERT_EQ((*ranks)->AllReduceSum(OfDevice(values), "sum"), absl::OkStatus());
      cudaMemcpyAsync(seen.data(), &values.back(), sizeof(float), cudaMemcpyDeviceToDevice, stream.get());
      ASSERT_EQ((*ranks)->Synchronize(), absl::OkStatus());
      cudaEvent_t end = nullptr;
      cudaEventCreateWithFlags(&end, 0);
      cudaEventRecord(end, stream.get());
      while (cudaEventQuery(end) == cudaErrorNotReady) std::this_thread::yield();
      cudaEventDestroy(end);
      EXPECT_EQ(seen[0], 2);
    });
  for (std::thread& thread : threads) thread.join();
}

TEST(NcclCommunicatorTest, ARankThatDoesNotComeToTheFirstMeetingIsNamed) {
  auto hosts = MakeThreadCommunicators(3, kShortTimeoutMs);
  std::vector<std::thread> threads;
  for (int rank : {0, 1})
    threads.emplace_back([host = std::move(hosts[static_cast<size_t>(rank)])]() mutable {
      const CallersStream stream;
      const auto ranks =
          MakeNcclCommunicator(std::move(host), {.device = 0, .caller_stream = [&] { return stream.get(); }});
      EXPECT_EQ(ranks.status().code(), absl::StatusCode::kDeadlineExceeded);
      EXPECT_THAT(std::string(ranks.status().message()),
                  AllOf(HasSubstr("'connecting the GPUs'"), HasSubstr("rank 2 does not answer")));
    });
  for (std::thread& thread : threads) thread.join();
}

TEST(NcclCommunicatorTest, MemoryOfTheHostGoesOverTheOtherCommunicator) {
  OnEveryGpu(2, kLongTimeoutMs, Users::kOfDevices, [](Communicator& ranks) {
    std::vector<float> values(3, 1);
    ASSERT_EQ(ranks.AllReduceSum(values, "host"), absl::OkStatus());
    EXPECT_EQ(values[2], 2);
    EXPECT_EQ(ranks.counts()[static_cast<size_t>(Collective::kAllReduce)].calls, 1);
  });
}

}  // namespace

void OnEveryRank(const std::function<void(Communicator&)>& body, int64_t timeout_ms) {
  for (int size : {1, 2, 3, 5}) OnEveryGpu(size, timeout_ms, Users::kOfTheHost, body);
}

}  // namespace ridgeline
