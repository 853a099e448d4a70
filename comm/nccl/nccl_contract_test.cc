// SPDX-License-Identifier: Apache-2.0
// The contract over NCCL's backend, with the host's implementation of CUDA and NCCL in the place of theirs
// (host/host_cuda.h): all that the contract's tests exchange lies in memory of devices. And what this backend adds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <vector>

#include "comm/contract_test.h"
#include "comm/nccl/host/host_nccl.h"
#include "comm/nccl/nccl_communicator.h"
#include "comm/threads/thread_communicator.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// Copies of the host's memory on a device; back on the host once the operation has ended.
class OnDevice {
 public:
  template <typename T>
  explicit OnDevice(MemorySpan<T> host) : host_(const_cast<std::remove_const_t<T>*>(host.data())) {
    bytes_.resize(static_cast<size_t>(host.size()) * sizeof(T));
    if (!bytes_.empty()) std::memcpy(bytes_.data(), host_, bytes_.size());
  }
  template <typename T>
  MemorySpan<T> As() {
    return {reinterpret_cast<T*>(bytes_.data()), static_cast<int64_t>(bytes_.size() / sizeof(T)), Memory::kDevice};
  }
  void CopyBack() const {
    if (!bytes_.empty()) std::memcpy(host_, bytes_.data(), bytes_.size());
  }

 private:
  void* host_;
  std::vector<std::byte> bytes_;
};

// Ends as an operation on the host's memory does: Wait says how.
class PendingOnDevice final : public Pending {
 public:
  PendingOnDevice(std::unique_ptr<Pending> pending, Communicator& ranks, std::shared_ptr<OnDevice> result)
      : pending_(std::move(pending)), ranks_(ranks), result_(std::move(result)) {}

  bool Poll() override {
    if (!pending_->Poll()) return false;
    result_->CopyBack();
    return true;
  }
  absl::Status Wait() override {
    RETURN_IF_ERROR(pending_->Wait());
    RETURN_IF_ERROR(ranks_.Synchronize());
    result_->CopyBack();
    return absl::OkStatus();
  }

 private:
  const std::unique_ptr<Pending> pending_;
  Communicator& ranks_;
  const std::shared_ptr<OnDevice> result_;
};

// A communicator whose users' memory is put on devices. Spans that say where they are stay as they are.
class ThroughDevices final : public Communicator {
 public:
  explicit ThroughDevices(std::unique_ptr<Communicator> ranks) : ranks_(std::move(ranks)) {}

  int rank() const override { return ranks_->rank(); }
  int size() const override { return ranks_->size(); }
  const CollectiveCounts& counts() const override { return ranks_->counts(); }
  int64_t timeout_ms() const override { return ranks_->timeout_ms(); }
  void SetTimeout(int64_t timeout_ms) override { ranks_->SetTimeout(timeout_ms); }
  bool Reaches(Memory memory) const override { return ranks_->Reaches(memory); }
  absl::Status Synchronize() override { return ranks_->Synchronize(); }
  absl::Status AwaitOther(const std::function<absl::StatusOr<bool>()>& done, int64_t since_ms,
                          const char* what) override {
    return ranks_->AwaitOther(done, since_ms, what);
  }
  void SetStep(std::string step) override { ranks_->SetStep(std::move(step)); }
  absl::Status Barrier(const char* what) override { return ranks_->Barrier(what); }
  absl::Status BroadcastFromRoot(std::string* bytes, const char* what) override {
    return ranks_->BroadcastFromRoot(bytes, what);
  }
  absl::Status AwaitRoot(std::string* bytes, const char* what) override { return ranks_->AwaitRoot(bytes, what); }
  absl::Status GatherToRoot(const std::string& bytes, std::vector<std::string>* by_rank, const char* what) override {
    return ranks_->GatherToRoot(bytes, by_rank, what);
  }
  absl::StatusOr<std::unique_ptr<Communicator>> Group(int64_t color, const char* what) override {
    ASSIGN_OR_RETURN(std::unique_ptr<Communicator> group, ranks_->Group(color, what));
    if (group == nullptr) return nullptr;
    return std::make_unique<ThroughDevices>(std::move(group));
  }

  absl::Status AllReduceSum(MemorySpan<float> values, const char* what) override { return AllReduce(values, what); }
  absl::Status AllReduceSum(MemorySpan<double> values, const char* what) override { return AllReduce(values, what); }
  absl::StatusOr<std::unique_ptr<Pending>> StartReduceScatterSum(MemorySpan<const float> values,
                                                                 std::span<const int64_t> sizes, MemorySpan<float> sum,
                                                                 const char* what) override {
    if (values.memory() != sum.memory()) return ranks_->StartReduceScatterSum(values, sizes, sum, what);
    const std::shared_ptr<OnDevice> in = CopyOf(values), out = CopyOf(sum);
    ASSIGN_OR_RETURN(auto pending, ranks_->StartReduceScatterSum(in->As<const float>(), sizes, out->As<float>(), what));
    return std::make_unique<PendingOnDevice>(std::move(pending), *ranks_, out);
  }
  absl::StatusOr<std::unique_ptr<Pending>> StartAllGatherBytes(MemorySpan<const std::byte> mine,
                                                               std::span<const int64_t> sizes,
                                                               MemorySpan<std::byte> all, const char* what) override {
    if (mine.memory() != all.memory()) return ranks_->StartAllGatherBytes(mine, sizes, all, what);
    const std::shared_ptr<OnDevice> in = CopyOf(mine), out = CopyOf(all);
    ASSIGN_OR_RETURN(auto pending,
                     ranks_->StartAllGatherBytes(in->As<const std::byte>(), sizes, out->As<std::byte>(), what));
    return std::make_unique<PendingOnDevice>(std::move(pending), *ranks_, out);
  }
  absl::StatusOr<std::unique_ptr<Pending>> StartExchangeBytes(MemorySpan<const std::byte> outgoing,
                                                              std::span<const int64_t> out_sizes,
                                                              MemorySpan<std::byte> incoming,
                                                              std::span<const int64_t> in_sizes,
                                                              const char* what) override {
    if (outgoing.memory() != incoming.memory())
      return ranks_->StartExchangeBytes(outgoing, out_sizes, incoming, in_sizes, what);
    const std::shared_ptr<OnDevice> in = CopyOf(outgoing), out = CopyOf(incoming);
    ASSIGN_OR_RETURN(auto pending, ranks_->StartExchangeBytes(in->As<const std::byte>(), out_sizes,
                                                              out->As<std::byte>(), in_sizes, what));
    return std::make_unique<PendingOnDevice>(std::move(pending), *ranks_, out);
  }

 private:
  template <typename T>
  absl::Status AllReduce(MemorySpan<T> values, const char* what) {
    const std::shared_ptr<OnDevice> copy = CopyOf(values);
    RETURN_IF_ERROR(ranks_->AllReduceSum(copy->template As<T>(), what));
    RETURN_IF_ERROR(ranks_->Synchronize());
    copy->CopyBack();
    return absl::OkStatus();
  }
  template <typename T>
  std::shared_ptr<OnDevice> CopyOf(MemorySpan<T> values) {
    copies_.push_back(std::make_shared<OnDevice>(values));
    return copies_.back();
  }

  std::vector<std::shared_ptr<OnDevice>> copies_;  // Go last: the stream of one that failed may still look at them.
  std::unique_ptr<Communicator> ranks_;
};

// What a rank computes with, beside its exchanges.
class CallersStream {
 public:
  CallersStream() { cudaStreamCreateWithFlags(&stream_, 0); }
  ~CallersStream() { cudaStreamDestroy(stream_); }
  CallersStream(const CallersStream&) = delete;
  CallersStream& operator=(const CallersStream&) = delete;
  cudaStream_t get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

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
                      HasSubstr("rank " + std::to_string(ranks.rank()) + " of 2")));
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
