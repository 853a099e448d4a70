// SPDX-License-Identifier: Apache-2.0
// What a rank can do with the others of its group. Injected everywhere, never global.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ridgeline {

enum class Memory { kHost, kDevice };

// Values one after the other, and where they lie. Does not own them.
template <typename T>
class MemorySpan {
 public:
  MemorySpan() = default;
  MemorySpan(T* data, int64_t size, Memory memory = Memory::kHost) : data_(data), size_(size), memory_(memory) {}

  // Of the host's vectors, arrays and spans.
  template <typename Range>
  requires std::convertible_to<Range&&, std::span<T>> MemorySpan(Range&& range) {
    const std::span<T> span(std::forward<Range>(range));
    data_ = span.data();
    size_ = static_cast<int64_t>(span.size());
  }
  template <typename Other>
  requires(std::is_same_v<T, const Other>) MemorySpan(const MemorySpan<Other>& other)
      : MemorySpan(other.data(), other.size(), other.memory()) {}

  T* data() const { return data_; }
  int64_t size() const { return size_; }
  Memory memory() const { return memory_; }

 private:
  T* data_ = nullptr;
  int64_t size_ = 0;
  Memory memory_ = Memory::kHost;
};

enum class Collective { kAllReduce, kReduceScatter, kAllGather, kAllToAll, kBroadcast, kGather, kBarrier };
inline constexpr std::array<const char*, 7> kCollectiveNames = {
    "all_reduce", "reduce_scatter", "all_gather", "all_to_all", "broadcast", "gather", "barrier"};

// What a rank has done since the start. AwaitRoot is no part of it: waiting for work is not communication.
struct CollectiveCount {
  int64_t calls = 0;
  int64_t bytes = 0;   // Sent to other ranks.
  double seconds = 0;  // In the calls: of an asynchronous operation, what it takes to start it and to wait for it.
};
using CollectiveCounts = std::array<CollectiveCount, kCollectiveNames.size()>;

// An operation under way. Its memory must stay, and what it reads must not change, until it has ended. Dropped before
// that, it is given up, and the group is unusable.
class Pending {
 public:
  virtual ~Pending() = default;
  // Moves the operation on, without waiting; whether it has ended. It is how ranks that compute let others proceed.
  virtual bool Poll() = 0;
  // Until it has ended. The same time-out as of other collectives, from this call on. Of device memory the host does
  // not wait: what the caller's stream gets from now on comes after it, and Synchronize tells how it ended.
  virtual absl::Status Wait() = 0;
};

// Every rank of the group calls the same collectives in the same order and with the same sizes, from one thread; what
// was started may be waited for in any order. `what` names a collective to people, and lives until it has ended.
// A collective that does not end within the time-out is DEADLINE_EXCEEDED with its name and, where they can be told,
// the ranks that hang, on all ranks that wait for it or for another; the job's groups are then unusable. Ranks with
// other sizes are INTERNAL where they are noticed, sizes that do not belong together INVALID_ARGUMENT, memory that the
// backend cannot reach UNIMPLEMENTED, as is the host's and a device's in one operation. A connection that breaks is
// UNAVAILABLE; the job's groups are unusable after that, too.
class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  // Element-wise sums over the ranks, in place. Each is ((rank 0 + rank 1) + rank 2) + ..., so that all ranks, backends
  // and divisions into parts have the same bits.
  virtual absl::Status AllReduceSum(MemorySpan<float> values, const char* what) = 0;
  virtual absl::Status AllReduceSum(MemorySpan<double> values, const char* what) = 0;

  // The same sums, each rank's part of them only: `values` holds the parts in order of ranks, part r `sizes[r]` long,
  // which may be 0. `sum` is as long as this rank's part, and may be its place in `values`.
  absl::Status ReduceScatterSum(MemorySpan<const float> values, std::span<const int64_t> sizes, MemorySpan<float> sum,
                                const char* what);
  virtual absl::StatusOr<std::unique_ptr<Pending>> StartReduceScatterSum(MemorySpan<const float> values,
                                                                         std::span<const int64_t> sizes,
                                                                         MemorySpan<float> sum, const char* what) = 0;

  // Every rank's bytes on every rank: `all` holds the parts in order of ranks, part r `sizes[r]` long, which may be 0.
  // `mine` is this rank's part, and may be its place in `all`.
  absl::Status AllGatherBytes(MemorySpan<const std::byte> mine, std::span<const int64_t> sizes,
                              MemorySpan<std::byte> all, const char* what);
  virtual absl::StatusOr<std::unique_ptr<Pending>> StartAllGatherBytes(MemorySpan<const std::byte> mine,
                                                                       std::span<const int64_t> sizes,
                                                                       MemorySpan<std::byte> all, const char* what) = 0;

  // Each rank's bytes for each rank: `outgoing` holds what this rank has for the others in order of ranks, part r
  // `out_sizes[r]` long, `incoming` what they have for this one, part r `in_sizes[r]` long; sizes may be 0. A rank's
  // own part is copied. The two share no memory.
  absl::Status ExchangeBytes(MemorySpan<const std::byte> outgoing, std::span<const int64_t> out_sizes,
                             MemorySpan<std::byte> incoming, std::span<const int64_t> in_sizes, const char* what);
  virtual absl::StatusOr<std::unique_ptr<Pending>> StartExchangeBytes(MemorySpan<const std::byte> outgoing,
                                                                      std::span<const int64_t> out_sizes,
                                                                      MemorySpan<std::byte> incoming,
                                                                      std::span<const int64_t> in_sizes,
                                                                      const char* what) = 0;

  // No rank leaves before all have come.
  virtual absl::Status Barrier(const char* what) = 0;

  // Rank 0's bytes on every rank.
  virtual absl::Status BroadcastFromRoot(std::string* bytes, const char* what) = 0;

  // The same, where the others wait politely (without spinning) and without time-out until rank 0 comes: it is how idle
  // ranks wait. Rank 0 itself may be done before they have come.
  virtual absl::Status AwaitRoot(std::string* bytes, const char* what) = 0;

  // Every rank's bytes, by rank, on rank 0; empty on the others.
  virtual absl::Status GatherToRoot(const std::string& bytes, std::vector<std::string>* by_rank, const char* what) = 0;

  // The ranks that say the same color, in the order of this group; null where the color is negative. Its errors name
  // ranks by their numbers in the whole job.
  virtual absl::StatusOr<std::unique_ptr<Communicator>> Group(int64_t color, const char* what) = 0;

  // Whether spans of such memory may be given. Operations on a device's memory come after what the caller's stream has
  // been given before, and are followed by what it is given after Wait.
  virtual bool Reaches(Memory memory) const = 0;

  // The host waits until what this rank has started has ended on devices, too, in all groups of its job; the error of
  // the first operation that did not end well, also if it has been told before.
  virtual absl::Status Synchronize() = 0;

  // Waits as in a collective named `what` for what goes on outside of this communicator and ends when all ranks take
  // part: `done` is asked often, and must not block. The time-out counts from `since_ms` on, of the monotonic clock.
  virtual absl::Status AwaitOther(const std::function<absl::StatusOr<bool>()>& done, int64_t since_ms,
                                  const char* what) = 0;

  // What errors of this rank say of where it is, as in "step 812", in this group and in all others of its job; empty:
  // nothing.
  virtual void SetStep(std::string step) = 0;

  // Of this rank, in this group and in all others of its job.
  virtual const CollectiveCounts& counts() const = 0;

  // Of all collectives of this rank that are waited for from now on, in this group and in all others of its job. As
  // soon as one rank's time-out is over, every rank that waits ends, whatever its own is.
  virtual int64_t timeout_ms() const = 0;
  virtual void SetTimeout(int64_t timeout_ms) = 0;
};

// Whether it says that ranks cannot exchange or agree on anything any more.
bool IsGroupLost(const absl::Status& status);

}  // namespace ridgeline
