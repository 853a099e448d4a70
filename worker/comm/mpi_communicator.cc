// SPDX-License-Identifier: Apache-2.0
// Collectives over MPI on CPUs. Every call is non-blocking inside, so that it can end by time-out.
#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "common/clock.h"
#include "fmt/format.h"
#include "worker/comm/communicator.h"

namespace ridgeline {
namespace {

constexpr int64_t kNoTimeout = -1;
// What the others may take to finish their step and their checkpoint once the group is asked to end.
constexpr int64_t kTerminatingTimeoutMs = 25'000;
constexpr auto kIdlePoll = std::chrono::milliseconds(20);
constexpr int64_t kMaxElementsPerCall = int64_t{1} << 28;  // MPI counts are ints.

MPI_Datatype TypeOf(float) { return MPI_FLOAT; }
MPI_Datatype TypeOf(double) { return MPI_DOUBLE; }

class MpiCommunicator : public Communicator {
 public:
  MpiCommunicator(int64_t timeout_ms, const std::atomic<bool>& terminating)
      : timeout_ms_(timeout_ms), terminating_(terminating) {
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  absl::Status AllReduceSum(std::span<float> values, const char* what) override { return Reduce(values, what); }
  absl::Status AllReduceSum(std::span<double> values, const char* what) override { return Reduce(values, what); }

  absl::Status BroadcastFromRoot(std::string* bytes, const char* what) override {
    uint64_t size = bytes->size();
    if (absl::Status status = Broadcast(&size, sizeof size, what); !status.ok()) return status;
    bytes->resize(size);
    return size == 0 ? absl::OkStatus() : Broadcast(bytes->data(), static_cast<int>(size), what);
  }

  absl::Status Barrier(const char* what) override {
    MPI_Request request;
    MPI_Ibarrier(MPI_COMM_WORLD, &request);
    return Wait(&request, timeout_ms_, /*polite=*/false, what);
  }

 private:
  template <typename T>
  absl::Status Reduce(std::span<T> values, const char* what) {
    while (!values.empty()) {
      std::span<T> part = values.first(std::min<size_t>(values.size(), kMaxElementsPerCall));
      MPI_Request request;
      MPI_Iallreduce(MPI_IN_PLACE, part.data(), static_cast<int>(part.size()), TypeOf(T{}), MPI_SUM, MPI_COMM_WORLD,
                     &request);
      if (absl::Status status = Wait(&request, timeout_ms_, /*polite=*/false, what); !status.ok()) return status;
      values = values.subspan(part.size());
    }
    return absl::OkStatus();
  }

  absl::Status Broadcast(void* bytes, int size, const char* what) {
    MPI_Request request;
    MPI_Ibcast(bytes, size, MPI_BYTE, 0, MPI_COMM_WORLD, &request);
    return Wait(&request, kNoTimeout, /*polite=*/true, what);
  }

  // polite: sleeps between looks, for waits that may take hours; else looks all the time, for the sake of latency.
  absl::Status Wait(MPI_Request* request, int64_t timeout_ms, bool polite, const char* what) {
    const int64_t start_ms = SystemClock().MonotonicMs();
    for (int64_t looks = 0;; ++looks) {
      int done = 0;
      MPI_Test(request, &done, MPI_STATUS_IGNORE);
      if (done) return absl::OkStatus();
      if (timeout_ms != kNoTimeout && looks % 1024 == 0) {
        const int64_t now_ms = SystemClock().MonotonicMs();
        if (terminating_ && terminating_since_ms_ == 0) terminating_since_ms_ = now_ms;
        const bool late = terminating_since_ms_ != 0 && now_ms - terminating_since_ms_ > kTerminatingTimeoutMs;
        if (late || now_ms - start_ms > timeout_ms)
          return absl::DeadlineExceededError(
              fmt::format("rank {} of {} waited {} ms in collective '{}': another rank hangs or died", rank_, size_,
                          now_ms - start_ms, what));
      }
      if (polite && looks > 64) std::this_thread::sleep_for(kIdlePoll);
    }
  }

  int64_t timeout_ms_;
  const std::atomic<bool>& terminating_;
  int64_t terminating_since_ms_ = 0;  // 0: not yet
  int rank_ = 0;
  int size_ = 1;
};

}  // namespace

std::unique_ptr<Communicator> MakeMpiCommunicator(int64_t timeout_ms, const std::atomic<bool>& terminating) {
  return std::make_unique<MpiCommunicator>(timeout_ms, terminating);
}

}  // namespace ridgeline
