// SPDX-License-Identifier: Apache-2.0
#include "comm/exchange_communicator.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "comm/parts.h"
#include "comm/rank_order_sum.h"
#include "comm/stopwatch.h"
#include "comm/waiting.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

// An all-reduce of so few bytes is one exchange of everything: one wait instead of two.
constexpr int64_t kFewBytes = 8 << 10;
// What an all-reduce holds of the other ranks' values at a time.
constexpr int64_t kPieceBytes = 16 << 20;

// What a rank's groups share.
struct Job {
  Job(std::unique_ptr<Transport> transport, int64_t timeout_ms, std::function<bool()> hurry)
      : transport(std::move(transport)), timeout_ms(timeout_ms), waiting(*this->transport, std::move(hurry)) {}
  const std::unique_ptr<Transport> transport;
  int64_t timeout_ms;
  Waiting waiting;
  int64_t next_channel = 1;  // Of the next group that this rank is in.
  CollectiveCounts counts{};
};

struct Members {
  std::shared_ptr<Job> job;
  std::vector<int> ranks;  // Their numbers in the job.
  int channel = 0;         // No two groups that share ranks have the same.
};

// Messages, and what is done with what has arrived.
class PendingExchange : public Pending {
 public:
  PendingExchange(std::shared_ptr<const Members> members, std::unique_ptr<Transfer> transfer,
                  std::function<void()> finish, const char* what, CollectiveCount& count)
      : members_(std::move(members)),
        finish_(std::move(finish)),
        transfer_(std::move(transfer)),
        what_(what),
        count_(count) {}

  bool Poll() override {
    if (transfer_ == nullptr) return true;
    const Stopwatch stopwatch(count_);
    const absl::StatusOr<bool> done = transfer_->Done();
    if (done.ok() && !*done) return false;
    End(done.status());
    return true;
  }

  absl::Status Wait() override {
    if (transfer_ == nullptr) return result_;
    const Stopwatch stopwatch(count_);
    Job& job = *members_->job;
    End(job.waiting.Until(*transfer_, {.timeout_ms = job.timeout_ms, .what = what_}, members_->ranks));
    return result_;
  }

 private:
  void End(const absl::Status& status) {
    transfer_.reset();
    result_ = absl::Status(status.code(), status.code() == absl::StatusCode::kInternal
                                              ? fmt::format("collective '{}': {}", what_, std::string(status.message()))
                                              : std::string(status.message()));
    if (status.ok() && finish_) finish_();
    finish_ = nullptr;
  }

  const std::shared_ptr<const Members> members_;
  std::function<void()> finish_;        // Owns what arrives, and so goes after the messages.
  std::unique_ptr<Transfer> transfer_;  // Null when it has ended.
  const char* const what_;
  CollectiveCount& count_;
  absl::Status result_;
};

// What somebody else moves.
class OtherTransfer : public Transfer {
 public:
  explicit OtherTransfer(const std::function<absl::StatusOr<bool>()>& done) : done_(done) {}
  absl::StatusOr<bool> Done() override { return done_(); }

 private:
  const std::function<absl::StatusOr<bool>()>& done_;
};

absl::Status CheckHost(std::initializer_list<Memory> memories, const char* what) {
  for (Memory memory : memories)
    if (memory != Memory::kHost)
      return absl::UnimplementedError(
          fmt::format("collective '{}': memory of a device, and this backend reaches only the host's", what));
  return absl::OkStatus();
}

class ExchangeCommunicator : public Communicator {
 public:
  explicit ExchangeCommunicator(std::shared_ptr<const Members> members)
      : members_(std::move(members)), job_(*members_->job) {
    const auto self = std::find(members_->ranks.begin(), members_->ranks.end(), job_.transport->rank());
    rank_ = static_cast<int>(self - members_->ranks.begin());
  }

  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(members_->ranks.size()); }
  const CollectiveCounts& counts() const override { return job_.counts; }
  int64_t timeout_ms() const override { return job_.timeout_ms; }
  void SetTimeout(int64_t timeout_ms) override { job_.timeout_ms = timeout_ms; }
  void SetStep(std::string step) override { job_.waiting.SetStep(std::move(step)); }
  bool Reaches(Memory memory) const override { return memory == Memory::kHost; }

  absl::Status AllReduceSum(MemorySpan<float> values, const char* what) override { return AllReduce(values, what); }
  absl::Status AllReduceSum(MemorySpan<double> values, const char* what) override { return AllReduce(values, what); }

  absl::StatusOr<std::unique_ptr<Pending>> StartReduceScatterSum(MemorySpan<const float> values,
                                                                 std::span<const int64_t> sizes, MemorySpan<float> sum,
                                                                 const char* what) override {
    RETURN_IF_ERROR(CheckHost({values.memory(), sum.memory()}, what));
    RETURN_IF_ERROR(CheckParts(values.size(), sizes, sum.size(), Self(), what));
    return ReduceScatter(values.data(), sizes, sum.data(), what, Count(Collective::kReduceScatter));
  }

  absl::StatusOr<std::unique_ptr<Pending>> StartAllGatherBytes(MemorySpan<const std::byte> mine,
                                                               std::span<const int64_t> sizes,
                                                               MemorySpan<std::byte> all, const char* what) override {
    RETURN_IF_ERROR(CheckHost({mine.memory(), all.memory()}, what));
    RETURN_IF_ERROR(CheckParts(all.size(), sizes, mine.size(), Self(), what));
    return AllGather(mine.data(), sizes, all.data(), what, Count(Collective::kAllGather));
  }

  absl::StatusOr<std::unique_ptr<Pending>> StartExchangeBytes(MemorySpan<const std::byte> outgoing,
                                                              std::span<const int64_t> out_sizes,
                                                              MemorySpan<std::byte> incoming,
                                                              std::span<const int64_t> in_sizes,
                                                              const char* what) override {
    RETURN_IF_ERROR(CheckHost({outgoing.memory(), incoming.memory()}, what));
    RETURN_IF_ERROR(CheckExchange(outgoing.size(), out_sizes, incoming.size(), in_sizes, Self(), what));
    return AllToAll(outgoing.data(), out_sizes, incoming.data(), in_sizes, what, Count(Collective::kAllToAll));
  }

  // Every rank tells every other that it has come.
  absl::Status Barrier(const char* what) override {
    const std::byte here{1};
    std::vector<std::byte> heard(static_cast<size_t>(size()));
    Messages messages;
    for (int other : Others()) {
      messages.Send(other, &here, 1);
      messages.Receive(other, &heard[static_cast<size_t>(other)], 1);
    }
    return Start(messages, nullptr, what, Count(Collective::kBarrier))->Wait();
  }

  absl::Status BroadcastFromRoot(std::string* bytes, const char* what) override {
    CollectiveCount& count = Count(Collective::kBroadcast);
    const Stopwatch stopwatch(count);
    return BroadcastString(bytes, {.timeout_ms = job_.timeout_ms, .what = what}, count);
  }

  absl::Status AwaitRoot(std::string* bytes, const char* what) override {
    CollectiveCount uncounted;
    return BroadcastString(
        bytes, {.timeout_ms = rank_ == 0 ? job_.timeout_ms : kNoTimeout, .polite = true, .what = what}, uncounted);
  }

  absl::Status GatherToRoot(const std::string& bytes, std::vector<std::string>* by_rank, const char* what) override {
    CollectiveCount& count = Count(Collective::kGather);
    by_rank->clear();
    const int64_t mine = static_cast<int64_t>(bytes.size());
    if (rank_ != 0) {
      Messages messages;
      messages.Send(0, &mine, sizeof mine);
      messages.Send(0, bytes.data(), mine);
      return Start(messages, nullptr, what, count)->Wait();
    }
    std::vector<int64_t> sizes(static_cast<size_t>(size()), mine);
    Messages first, second;
    for (int other : Others()) first.Receive(other, &sizes[static_cast<size_t>(other)], sizeof mine);
    RETURN_IF_ERROR(Start(first, nullptr, what, count)->Wait());
    for (int64_t size : sizes) by_rank->emplace_back(static_cast<size_t>(size), '\0');
    (*by_rank)[0] = bytes;
    for (int other : Others()) {
      std::string& theirs = (*by_rank)[static_cast<size_t>(other)];
      second.Receive(other, theirs.data(), static_cast<int64_t>(theirs.size()));
    }
    return Start(second, nullptr, what, count)->Wait();
  }

  // Nothing of it goes on once it has been waited for.
  absl::Status Synchronize() override { return absl::OkStatus(); }

  absl::Status AwaitOther(const std::function<absl::StatusOr<bool>()>& done, int64_t since_ms,
                          const char* what) override {
    OtherTransfer other(done);
    return job_.waiting.Until(other, {.timeout_ms = job_.timeout_ms, .what = what, .since_ms = since_ms},
                              members_->ranks);
  }

  absl::StatusOr<std::unique_ptr<Communicator>> Group(int64_t color, const char* what) override {
    struct Wish {
      int64_t color, next_channel;
    };
    const Wish mine{color, job_.next_channel};
    std::vector<Wish> wishes(static_cast<size_t>(size()));
    const std::vector<int64_t> sizes(wishes.size(), sizeof(Wish));
    CollectiveCount uncounted;
    RETURN_IF_ERROR(AllGather(reinterpret_cast<const std::byte*>(&mine), sizes,
                              reinterpret_cast<std::byte*>(wishes.data()), what, uncounted)
                        ->Wait());
    // A channel that none of these ranks has used: groups of other colors may take it, too, as they share no rank.
    int64_t channel = 0;
    for (const Wish& wish : wishes) channel = std::max(channel, wish.next_channel);
    if (channel >= Transport::kChannels)
      return absl::ResourceExhaustedError(fmt::format("'{}': a job has at most {} groups", what, channel));
    job_.next_channel = channel + 1;
    if (color < 0) return nullptr;
    Members group{.job = members_->job, .ranks = {}, .channel = static_cast<int>(channel)};
    for (size_t i = 0; i < wishes.size(); ++i)
      if (wishes[i].color == color) group.ranks.push_back(members_->ranks[i]);
    return std::make_unique<ExchangeCommunicator>(std::make_shared<const Members>(std::move(group)));
  }

 private:
  // By ranks of this group. Messages without bytes are left out on both sides.
  struct Messages {
    void Send(int to, const void* data, int64_t size) {
      if (size > 0) outgoing.push_back({to, static_cast<const std::byte*>(data), size});
    }
    void Receive(int from, void* data, int64_t size) {
      if (size > 0) incoming.push_back({from, static_cast<std::byte*>(data), size});
    }
    std::vector<OutgoingMessage> outgoing;
    std::vector<IncomingMessage> incoming;
  };

  CollectiveCount& Count(Collective collective) {
    CollectiveCount& count = job_.counts[static_cast<size_t>(collective)];
    ++count.calls;
    return count;
  }

  // From the next rank on, so that not all of them write to the same one first.
  std::vector<int> Others() const {
    std::vector<int> others;
    for (int step = 1; step < size(); ++step) others.push_back((rank_ + step) % size());
    return others;
  }

  std::unique_ptr<Transfer> StartMessages(Messages messages, CollectiveCount& count) {
    for (OutgoingMessage& message : messages.outgoing) {
      message.to = members_->ranks[static_cast<size_t>(message.to)];
      count.bytes += message.size;
    }
    for (IncomingMessage& message : messages.incoming)
      message.from = members_->ranks[static_cast<size_t>(message.from)];
    return job_.transport->Start(messages.outgoing, messages.incoming, members_->channel);
  }

  std::unique_ptr<Pending> Start(const Messages& messages, std::function<void()> finish, const char* what,
                                 CollectiveCount& count) {
    const Stopwatch stopwatch(count);
    return std::make_unique<PendingExchange>(members_, StartMessages(messages, count), std::move(finish), what, count);
  }

  RankOf Self() const { return {rank_, size()}; }

  template <typename T>
  std::unique_ptr<Pending> ReduceScatter(const T* values, std::span<const int64_t> sizes, T* sum, const char* what,
                                         CollectiveCount& count) {
    const int64_t mine = sizes[static_cast<size_t>(rank_)];
    const std::vector<int64_t> offsets = OffsetsOf(sizes);
    const auto theirs = std::make_shared_for_overwrite<T[]>(static_cast<size_t>(mine * (size() - 1)));
    std::vector<const T*> parts(sizes.size(), values + offsets[static_cast<size_t>(rank_)]);
    Messages messages;
    T* place = theirs.get();
    for (int other : Others()) {
      const size_t i = static_cast<size_t>(other);
      messages.Send(other, values + offsets[i], sizes[i] * static_cast<int64_t>(sizeof(T)));
      messages.Receive(other, place, mine * static_cast<int64_t>(sizeof(T)));
      parts[i] = place;
      place += mine;
    }
    auto finish = [theirs, parts = std::move(parts), mine, sum] {
      SumInRankOrder(std::span<const T* const>(parts), mine, sum);
    };
    return Start(messages, std::move(finish), what, count);
  }

  std::unique_ptr<Pending> AllGather(const std::byte* mine, std::span<const int64_t> sizes, std::byte* all,
                                     const char* what, CollectiveCount& count) {
    const std::vector<int64_t> offsets = OffsetsOf(sizes);
    const size_t self = static_cast<size_t>(rank_);
    if (sizes[self] > 0) std::memmove(all + offsets[self], mine, static_cast<size_t>(sizes[self]));
    Messages messages;
    for (int other : Others()) {
      const size_t i = static_cast<size_t>(other);
      messages.Send(other, all + offsets[self], sizes[self]);
      messages.Receive(other, all + offsets[i], sizes[i]);
    }
    return Start(messages, nullptr, what, count);
  }

  std::unique_ptr<Pending> AllToAll(const std::byte* outgoing, std::span<const int64_t> out_sizes, std::byte* incoming,
                                    std::span<const int64_t> in_sizes, const char* what, CollectiveCount& count) {
    const std::vector<int64_t> from = OffsetsOf(out_sizes), to = OffsetsOf(in_sizes);
    const size_t self = static_cast<size_t>(rank_);
    if (out_sizes[self] > 0)
      std::memcpy(incoming + to[self], outgoing + from[self], static_cast<size_t>(out_sizes[self]));
    Messages messages;
    for (int other : Others()) {
      const size_t i = static_cast<size_t>(other);
      messages.Send(other, outgoing + from[i], out_sizes[i]);
      messages.Receive(other, incoming + to[i], in_sizes[i]);
    }
    return Start(messages, nullptr, what, count);
  }

  template <typename T>
  absl::Status AllReduce(MemorySpan<T> values, const char* what) {
    RETURN_IF_ERROR(CheckHost({values.memory()}, what));
    CollectiveCount& count = Count(Collective::kAllReduce);
    if (size() == 1) return absl::OkStatus();
    constexpr int64_t kBytes = sizeof(T);
    if (values.size() * kBytes <= kFewBytes) return AllReduceFew(values.data(), values.size(), what, count);
    for (int64_t begin = 0; begin < values.size(); begin += kPieceBytes / kBytes) {
      const int64_t length = std::min(kPieceBytes / kBytes, values.size() - begin);
      RETURN_IF_ERROR(AllReducePiece(values.data() + begin, length, what, count));
    }
    return absl::OkStatus();
  }

  template <typename T>
  absl::Status AllReduceFew(T* values, int64_t length, const char* what, CollectiveCount& count) {
    std::vector<T> all(static_cast<size_t>(length * size()));
    const std::vector<int64_t> sizes(static_cast<size_t>(size()), length * static_cast<int64_t>(sizeof(T)));
    RETURN_IF_ERROR(AllGather(reinterpret_cast<const std::byte*>(values), sizes,
                              reinterpret_cast<std::byte*>(all.data()), what, count)
                        ->Wait());
    std::vector<const T*> parts;
    for (int64_t rank = 0; rank < size(); ++rank) parts.push_back(all.data() + rank * length);
    SumInRankOrder(std::span<const T* const>(parts), length, values);
    return absl::OkStatus();
  }

  template <typename T>
  absl::Status AllReducePiece(T* values, int64_t length, const char* what, CollectiveCount& count) {
    std::vector<int64_t> sizes = EvenShares(length, size());
    T* mine = values + OffsetsOf(sizes)[static_cast<size_t>(rank_)];
    RETURN_IF_ERROR(ReduceScatter<T>(values, sizes, mine, what, count)->Wait());
    for (int64_t& size : sizes) size *= static_cast<int64_t>(sizeof(T));
    return AllGather(reinterpret_cast<const std::byte*>(mine), sizes, reinterpret_cast<std::byte*>(values), what, count)
        ->Wait();
  }

  // Once the size is there, rank 0 has come, and the bytes are bounded by the time-out.
  absl::Status BroadcastString(std::string* bytes, const Patience& first, CollectiveCount& count) {
    int64_t size = static_cast<int64_t>(bytes->size());
    RETURN_IF_ERROR(Broadcast(&size, sizeof size, first, count));
    if (rank_ != 0) bytes->assign(static_cast<size_t>(size), '\0');
    return Broadcast(bytes->data(), size, {.timeout_ms = job_.timeout_ms, .polite = first.polite, .what = first.what},
                     count);
  }

  // Down a binomial tree: rank r hears it from r without its lowest bit, and tells it those that differ in a lower one.
  absl::Status Broadcast(void* bytes, int64_t size_bytes, const Patience& patience, CollectiveCount& count) {
    int bit = 1;
    while (bit < size() && (rank_ & bit) == 0) bit <<= 1;
    Messages up, down;
    if (rank_ != 0) up.Receive(rank_ - bit, bytes, size_bytes);
    RETURN_IF_ERROR(job_.waiting.Until(*StartMessages(up, count), patience, members_->ranks));
    for (bit >>= 1; bit > 0; bit >>= 1)
      if (rank_ + bit < size()) down.Send(rank_ + bit, bytes, size_bytes);
    return job_.waiting.Until(*StartMessages(down, count),
                              {.timeout_ms = job_.timeout_ms, .polite = patience.polite, .what = patience.what},
                              members_->ranks);
  }

  const std::shared_ptr<const Members> members_;
  Job& job_;
  int rank_ = 0;
};

}  // namespace

std::unique_ptr<Communicator> MakeExchangeCommunicator(std::unique_ptr<Transport> transport, int64_t timeout_ms,
                                                       std::function<bool()> hurry) {
  std::vector<int> ranks(static_cast<size_t>(transport->size()));
  std::iota(ranks.begin(), ranks.end(), 0);
  Members everybody{.job = std::make_shared<Job>(std::move(transport), timeout_ms, std::move(hurry)),
                    .ranks = std::move(ranks)};
  return std::make_unique<ExchangeCommunicator>(std::make_shared<const Members>(std::move(everybody)));
}

}  // namespace ridgeline
