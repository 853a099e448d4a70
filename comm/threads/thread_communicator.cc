// SPDX-License-Identifier: Apache-2.0
// Ranks as threads of one process: sums run in rank order, so that the result is plain to see.
#include "comm/threads/thread_communicator.h"

#include <barrier>
#include <cstring>

namespace ridgeline {
namespace {

// What the ranks share. Each collective has three phases, kept apart by a barrier: publish, read, done.
struct Meeting {
  explicit Meeting(int size) : gate(size), published(static_cast<size_t>(size)) {}
  std::barrier<> gate;
  std::vector<std::vector<char>> published;
};

class ThreadCommunicator : public Communicator {
 public:
  ThreadCommunicator(std::shared_ptr<Meeting> meeting, int rank, int size)
      : meeting_(std::move(meeting)), rank_(rank), size_(size) {}

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  absl::Status AllReduceSum(std::span<float> values, const char*) override { return Reduce(values); }
  absl::Status AllReduceSum(std::span<double> values, const char*) override { return Reduce(values); }

  absl::Status BroadcastFromRoot(std::string* bytes, const char*) override {
    Publish(bytes->data(), bytes->size());
    if (rank_ != 0) bytes->assign(meeting_->published[0].data(), meeting_->published[0].size());
    meeting_->gate.arrive_and_wait();
    return absl::OkStatus();
  }

  absl::Status AwaitRoot(std::string* bytes, const char* what) override { return BroadcastFromRoot(bytes, what); }

  absl::Status GatherToRoot(const std::string& bytes, std::vector<std::string>* by_rank, const char*) override {
    Publish(bytes.data(), bytes.size());
    by_rank->clear();
    if (rank_ == 0)
      for (const std::vector<char>& published : meeting_->published)
        by_rank->emplace_back(published.data(), published.size());
    meeting_->gate.arrive_and_wait();
    return absl::OkStatus();
  }

 private:
  void Publish(const void* bytes, size_t size) {
    auto& mine = meeting_->published[static_cast<size_t>(rank_)];
    mine.assign(static_cast<const char*>(bytes), static_cast<const char*>(bytes) + size);
    meeting_->gate.arrive_and_wait();
  }

  template <typename T>
  absl::Status Reduce(std::span<T> values) {
    Publish(values.data(), values.size_bytes());
    std::vector<T> sum(values.size(), T(0)), other(values.size());
    for (const std::vector<char>& bytes : meeting_->published) {
      if (bytes.size() != values.size_bytes()) return absl::InternalError("ranks reduce different sizes");
      if (!bytes.empty()) std::memcpy(other.data(), bytes.data(), bytes.size());
      for (size_t i = 0; i < sum.size(); ++i) sum[i] += other[i];
    }
    meeting_->gate.arrive_and_wait();
    std::copy(sum.begin(), sum.end(), values.begin());
    return absl::OkStatus();
  }

  std::shared_ptr<Meeting> meeting_;
  int rank_;
  int size_;
};

}  // namespace

std::vector<std::unique_ptr<Communicator>> MakeThreadCommunicators(int size) {
  auto meeting = std::make_shared<Meeting>(size);
  std::vector<std::unique_ptr<Communicator>> ranks;
  for (int rank = 0; rank < size; ++rank) ranks.push_back(std::make_unique<ThreadCommunicator>(meeting, rank, size));
  return ranks;
}

std::unique_ptr<Communicator> MakeSingleCommunicator() { return std::move(MakeThreadCommunicators(1)[0]); }

}  // namespace ridgeline
