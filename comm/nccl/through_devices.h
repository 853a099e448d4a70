// SPDX-License-Identifier: Apache-2.0
// For tests: the contract's own tests, whose memory is the host's, with all that they exchange in memory of devices.
#pragma once

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "comm/communicator.h"
#include "common/status_macros.h"

namespace ridgeline {

// Copies of the host's memory on a device; back on the host once the operation has ended.
class OnDevice {
 public:
  template <typename T>
  explicit OnDevice(MemorySpan<T> host) : host_(const_cast<std::remove_const_t<T>*>(host.data())) {
    bytes_ = static_cast<size_t>(host.size()) * sizeof(T);
    EXPECT_EQ(cudaMalloc(&device_, std::max<size_t>(1, bytes_)), cudaSuccess);
    if (bytes_ > 0) EXPECT_EQ(cudaMemcpy(device_, host_, bytes_, cudaMemcpyHostToDevice), cudaSuccess);
  }
  ~OnDevice() { cudaFree(device_); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

  template <typename T>
  MemorySpan<T> As() {
    return {static_cast<T*>(device_), static_cast<int64_t>(bytes_ / sizeof(T)), Memory::kDevice};
  }
  void CopyBack() const {
    if (bytes_ > 0) EXPECT_EQ(cudaMemcpy(host_, device_, bytes_, cudaMemcpyDeviceToHost), cudaSuccess);
  }

 private:
  void* const host_;
  void* device_ = nullptr;
  size_t bytes_ = 0;
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

}  // namespace ridgeline
