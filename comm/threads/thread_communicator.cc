// SPDX-License-Identifier: Apache-2.0
#include "comm/threads/thread_communicator.h"

#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <tuple>

#include "comm/exchange_communicator.h"
#include "comm/transport.h"

namespace ridgeline {
namespace {

// A rank that waits looks at its time-out this often.
constexpr auto kLongestRest = std::chrono::milliseconds(5);

// Memory that waits for a message; guarded by the mailboxes' lock.
struct Awaited {
  std::byte* data = nullptr;  // Null when it was given up.
  int64_t size = 0;
  bool arrived = false;
  bool fits = false;
};

// What goes one way between two ranks on one channel, in order. One of the two queues is empty.
struct Lane {
  std::deque<std::vector<std::byte>> sent;
  std::deque<std::shared_ptr<Awaited>> awaited;
};

// What the ranks share. Thread-safe.
class Mailboxes {
 public:
  explicit Mailboxes(int size) : places_(static_cast<size_t>(size)) {}

  void Send(int from, const OutgoingMessage& message, int channel) {
    std::vector<std::byte> bytes(message.data, message.data + message.size);
    const std::lock_guard lock(mutex_);
    Lane& lane = lanes_[{from, message.to, channel}];
    lane.sent.push_back(std::move(bytes));
    Deliver(&lane);
  }

  std::shared_ptr<Awaited> Receive(int to, const IncomingMessage& message, int channel) {
    auto awaited = std::make_shared<Awaited>(Awaited{.data = message.data, .size = message.size});
    const std::lock_guard lock(mutex_);
    Lane& lane = lanes_[{message.from, to, channel}];
    lane.awaited.push_back(awaited);
    Deliver(&lane);
    return awaited;
  }

  void GiveUp(std::span<const std::shared_ptr<Awaited>> all) {
    const std::lock_guard lock(mutex_);
    for (const auto& awaited : all) awaited->data = nullptr;
  }

  // Whether all have arrived, and how many messages had been delivered to anybody by then.
  absl::StatusOr<bool> HaveArrived(std::span<const std::shared_ptr<Awaited>> all, int64_t* delivered) {
    const std::lock_guard lock(mutex_);
    *delivered = delivered_;
    for (const auto& awaited : all) {
      if (!awaited->arrived) return false;
      if (!awaited->fits) return absl::InternalError("a rank sends more or less than another expects");
    }
    return true;
  }

  // Until another message is delivered, but not for long.
  void Rest(int64_t delivered) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kLongestRest, [&] { return delivered_ != delivered; });
  }

  // Whether somebody has looked at the places.
  bool SetPlace(int rank, const char* what) {
    const std::lock_guard lock(mutex_);
    places_[static_cast<size_t>(rank)] = what;
    return looked_at_;
  }

  std::vector<std::string> Places() {
    const std::lock_guard lock(mutex_);
    looked_at_ = true;
    return places_;
  }

 private:
  void Deliver(Lane* lane) {
    while (!lane->sent.empty() && !lane->awaited.empty()) {
      const std::vector<std::byte>& bytes = lane->sent.front();
      Awaited& awaited = *lane->awaited.front();
      awaited.fits = std::ssize(bytes) == awaited.size;
      if (awaited.fits && awaited.data != nullptr) std::memcpy(awaited.data, bytes.data(), bytes.size());
      awaited.arrived = true;
      lane->sent.pop_front();
      lane->awaited.pop_front();
      ++delivered_;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::tuple<int, int, int>, Lane> lanes_;  // By sender, receiver and channel.
  std::vector<std::string> places_;
  bool looked_at_ = false;
  int64_t delivered_ = 0;
};

class ThreadTransfer : public Transfer {
 public:
  ThreadTransfer(Mailboxes& mailboxes, std::vector<std::shared_ptr<Awaited>> awaited, int64_t* delivered)
      : mailboxes_(mailboxes), awaited_(std::move(awaited)), delivered_(delivered) {}
  ~ThreadTransfer() override { mailboxes_.GiveUp(awaited_); }
  absl::StatusOr<bool> Done() override { return mailboxes_.HaveArrived(awaited_, delivered_); }

 private:
  Mailboxes& mailboxes_;
  const std::vector<std::shared_ptr<Awaited>> awaited_;
  int64_t* const delivered_;
};

class ThreadTransport : public Transport {
 public:
  ThreadTransport(std::shared_ptr<Mailboxes> mailboxes, int rank, int size)
      : mailboxes_(std::move(mailboxes)), rank_(rank), size_(size) {}

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  std::unique_ptr<Transfer> Start(std::span<const OutgoingMessage> outgoing, std::span<const IncomingMessage> incoming,
                                  int channel) override {
    std::vector<std::shared_ptr<Awaited>> awaited;
    for (const IncomingMessage& message : incoming) awaited.push_back(mailboxes_->Receive(rank_, message, channel));
    for (const OutgoingMessage& message : outgoing) mailboxes_->Send(rank_, message, channel);
    return std::make_unique<ThreadTransfer>(*mailboxes_, std::move(awaited), &delivered_);
  }

  void Rest(int64_t, bool) override { mailboxes_->Rest(delivered_); }

  bool SayWhere(const char* what) override { return mailboxes_->SetPlace(rank_, what); }
  void StopSaying() override { mailboxes_->SetPlace(rank_, ""); }
  std::vector<std::string> AskAll(const char*) override {
    std::vector<std::string> places = mailboxes_->Places();
    places[static_cast<size_t>(rank_)].clear();
    return places;
  }

 private:
  const std::shared_ptr<Mailboxes> mailboxes_;
  const int rank_;
  const int size_;
  int64_t delivered_ = 0;  // Messages, by this rank's last look.
};

}  // namespace

std::vector<std::unique_ptr<Communicator>> MakeThreadCommunicators(int size, int64_t timeout_ms) {
  auto mailboxes = std::make_shared<Mailboxes>(size);
  std::vector<std::unique_ptr<Communicator>> ranks;
  for (int rank = 0; rank < size; ++rank)
    ranks.push_back(MakeExchangeCommunicator(std::make_unique<ThreadTransport>(mailboxes, rank, size), timeout_ms,
                                             [] { return false; }));
  return ranks;
}

std::unique_ptr<Communicator> MakeSingleCommunicator() { return std::move(MakeThreadCommunicators(1)[0]); }

}  // namespace ridgeline
