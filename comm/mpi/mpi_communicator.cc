// SPDX-License-Identifier: Apache-2.0
// Collectives over MPI on CPUs. Every call is non-blocking inside, so that it can end by time-out.
//
// Who hangs: a rank whose collective has timed out asks all others where they are, on a communicator of its own.
// Whoever waits in a collective answers with its name; whoever is stopped, dead or computing does not.
#include "comm/mpi/mpi_communicator.h"

#include <mpi.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <thread>

#include "common/clock.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

constexpr int64_t kNoTimeout = -1;
// What the others may take to finish their step and their checkpoint once the group is in a hurry.
constexpr int64_t kHurryTimeoutMs = 25'000;
// Rank 0 alone can tell the coordinator: as long as it answers, the others give it time to notice, too.
constexpr int64_t kRootFirstMs = 5'000, kLongestRootFirstMs = 60'000;
constexpr int64_t kAnswerMs = 5'000;
constexpr auto kIdlePoll = std::chrono::milliseconds(20);
constexpr int64_t kMaxElementsPerCall = int64_t{1} << 28;  // MPI counts are ints.

enum Tag : int { kWhereAreYou = 1, kHere = 2 };
using Place = std::array<char, 64>;  // A collective's name, cut, with a zero at its end.

MPI_Datatype TypeOf(float) { return MPI_FLOAT; }
MPI_Datatype TypeOf(double) { return MPI_DOUBLE; }

class MpiCommunicator : public Communicator {
 public:
  MpiCommunicator(int64_t timeout_ms, std::function<bool()> hurry) : timeout_ms_(timeout_ms), hurry_(std::move(hurry)) {
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
    MPI_Comm_dup(MPI_COMM_WORLD, &questions_);
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  absl::Status AllReduceSum(std::span<float> values, const char* what) override { return Reduce(values, what); }
  absl::Status AllReduceSum(std::span<double> values, const char* what) override { return Reduce(values, what); }

  absl::Status BroadcastFromRoot(std::string* bytes, const char* what) override {
    return BroadcastString(bytes, {timeout_ms_, /*polite=*/false, what});
  }

  absl::Status AwaitRoot(std::string* bytes, const char* what) override {
    return BroadcastString(bytes, {rank_ == 0 ? timeout_ms_ : kNoTimeout, /*polite=*/true, what});
  }

  absl::Status GatherToRoot(const std::string& bytes, std::vector<std::string>* by_rank, const char* what) override {
    const Patience patience{timeout_ms_, /*polite=*/false, what};
    const int mine = static_cast<int>(bytes.size());
    std::vector<int> sizes(static_cast<size_t>(size_)), offsets(static_cast<size_t>(size_));
    MPI_Request request;
    MPI_Igather(&mine, 1, MPI_INT, sizes.data(), 1, MPI_INT, 0, MPI_COMM_WORLD, &request);
    RETURN_IF_ERROR(Wait(&request, patience));
    int total = 0;
    for (size_t i = 0; rank_ == 0 && i < sizes.size(); ++i) {
      offsets[i] = total;
      total += sizes[i];
    }
    std::string all(static_cast<size_t>(total), '\0');
    MPI_Igatherv(bytes.data(), mine, MPI_BYTE, all.data(), sizes.data(), offsets.data(), MPI_BYTE, 0, MPI_COMM_WORLD,
                 &request);
    RETURN_IF_ERROR(Wait(&request, patience));
    by_rank->clear();
    for (size_t i = 0; rank_ == 0 && i < sizes.size(); ++i)
      by_rank->push_back(all.substr(static_cast<size_t>(offsets[i]), static_cast<size_t>(sizes[i])));
    return absl::OkStatus();
  }

 private:
  struct Patience {
    int64_t timeout_ms = kNoTimeout;
    bool polite = false;  // Sleeps between looks, for waits that may take hours; else looks all the time, to be quick.
    const char* what = "";
  };

  template <typename T>
  absl::Status Reduce(std::span<T> values, const char* what) {
    while (!values.empty()) {
      std::span<T> part = values.first(std::min<size_t>(values.size(), kMaxElementsPerCall));
      MPI_Request request;
      MPI_Iallreduce(MPI_IN_PLACE, part.data(), static_cast<int>(part.size()), TypeOf(T{}), MPI_SUM, MPI_COMM_WORLD,
                     &request);
      RETURN_IF_ERROR(Wait(&request, {timeout_ms_, /*polite=*/false, what}));
      values = values.subspan(part.size());
    }
    return absl::OkStatus();
  }

  // Once the size is there, rank 0 has come, and the bytes are bounded by the time-out.
  absl::Status BroadcastString(std::string* bytes, const Patience& first) {
    uint64_t size = bytes->size();
    RETURN_IF_ERROR(Broadcast(&size, sizeof size, first));
    bytes->resize(size);
    return size == 0 ? absl::OkStatus()
                     : Broadcast(bytes->data(), static_cast<int>(size), {timeout_ms_, first.polite, first.what});
  }

  absl::Status Broadcast(void* bytes, int size, const Patience& patience) {
    MPI_Request request;
    MPI_Ibcast(bytes, size, MPI_BYTE, 0, MPI_COMM_WORLD, &request);
    return Wait(&request, patience);
  }

  absl::Status Wait(MPI_Request* request, const Patience& patience) {
    const int64_t start_ms = SystemClock().MonotonicMs();
    int64_t for_root_ms = 0;
    for (int64_t looks = 0;; ++looks) {
      int done = 0;
      MPI_Test(request, &done, MPI_STATUS_IGNORE);
      if (done) return absl::OkStatus();
      const bool sleeps = patience.polite && looks > 64;
      if (sleeps || looks % 1024 == 1023) {
        AnswerQuestions(patience.what);
        if (IsLate(patience, start_ms + for_root_ms)) {
          const std::vector<std::string> places = AskAll(patience.what);
          if (rank_ == 0 || places[0].empty() || for_root_ms >= kLongestRootFirstMs)
            return TimedOut(patience.what, start_ms, places);
          for_root_ms += kRootFirstMs;
        }
      }
      if (sleeps) std::this_thread::sleep_for(kIdlePoll);
    }
  }

  bool IsLate(const Patience& patience, int64_t start_ms) {
    if (patience.timeout_ms == kNoTimeout) return false;
    const int64_t now_ms = SystemClock().MonotonicMs();
    if (!hurry_()) {
      hurry_since_ms_ = 0;
    } else if (hurry_since_ms_ == 0) {
      hurry_since_ms_ = now_ms;
    }
    return now_ms - start_ms > patience.timeout_ms ||
           (hurry_since_ms_ != 0 && now_ms - std::max(hurry_since_ms_, start_ms) > kHurryTimeoutMs);
  }

  absl::Status TimedOut(const char* what, int64_t start_ms, const std::vector<std::string>& places) const {
    return absl::DeadlineExceededError(fmt::format("rank {} of {} waited {} ms in collective '{}': {}", rank_, size_,
                                                   SystemClock().MonotonicMs() - start_ms, what,
                                                   Describe(places, what)));
  }

  // "rank 2 does not answer: it is stopped, dead, or computes; rank 3 waits in 'evaluation'"
  std::string Describe(const std::vector<std::string>& places, const char* what) const {
    std::vector<std::string> texts;
    for (int rank = 0; rank < size_; ++rank) {
      const std::string& place = places[static_cast<size_t>(rank)];
      if (rank == rank_ || place == what) continue;
      texts.push_back(place.empty() ? fmt::format("rank {} does not answer: it is stopped, dead, or computes", rank)
                                    : fmt::format("rank {} waits in '{}'", rank, place));
    }
    return texts.empty() ? "every rank waits in it: the network between them does not work"
                         : fmt::format("{}", fmt::join(texts, "; "));
  }

  // The collective that each rank waits in, empty for ranks that do not answer. Questions to those are never received:
  // the group ends after this.
  std::vector<std::string> AskAll(const char* what) {
    std::vector<std::string> places(static_cast<size_t>(size_));
    for (int rank = 0; rank < size_; ++rank) {
      if (rank == rank_) continue;
      MPI_Request request;
      MPI_Isend(nullptr, 0, MPI_BYTE, rank, kWhereAreYou, questions_, &request);
      MPI_Request_free(&request);
    }
    const int64_t start_ms = SystemClock().MonotonicMs();
    auto missing = [&] { return std::count(places.begin(), places.end(), "") > 1; };  // This rank's own stays empty.
    while (missing() && SystemClock().MonotonicMs() - start_ms < kAnswerMs) {
      AnswerQuestions(what);
      for (MPI_Status status; HasMessage(kHere, &status);) {
        Place place{};
        MPI_Recv(place.data(), static_cast<int>(place.size()), MPI_CHAR, status.MPI_SOURCE, kHere, questions_,
                 MPI_STATUS_IGNORE);
        places[static_cast<size_t>(status.MPI_SOURCE)] = place.data();
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return places;
  }

  void AnswerQuestions(const char* what) {
    for (MPI_Status status; HasMessage(kWhereAreYou, &status);) {
      MPI_Recv(nullptr, 0, MPI_BYTE, status.MPI_SOURCE, kWhereAreYou, questions_, MPI_STATUS_IGNORE);
      Place place{};
      std::strncpy(place.data(), what, place.size() - 1);
      MPI_Send(place.data(), static_cast<int>(place.size()), MPI_CHAR, status.MPI_SOURCE, kHere, questions_);
    }
  }

  bool HasMessage(int tag, MPI_Status* status) const {
    int found = 0;
    MPI_Iprobe(MPI_ANY_SOURCE, tag, questions_, &found, status);
    return found != 0;
  }

  int64_t timeout_ms_;
  const std::function<bool()> hurry_;
  int64_t hurry_since_ms_ = 0;  // 0: there is no hurry
  int rank_ = 0;
  int size_ = 1;
  MPI_Comm questions_ = MPI_COMM_NULL;
};

}  // namespace

std::unique_ptr<Communicator> MakeMpiCommunicator(int64_t timeout_ms, std::function<bool()> hurry) {
  return std::make_unique<MpiCommunicator>(timeout_ms, std::move(hurry));
}

}  // namespace ridgeline
