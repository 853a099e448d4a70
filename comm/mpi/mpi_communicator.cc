// SPDX-License-Identifier: Apache-2.0
// Messages over MPI on CPUs. Every call is non-blocking, so that it can end by time-out.
//
// Who hangs: a rank whose collective has timed out asks all others where they are, on a communicator of its own.
// Whoever waits in a collective answers with its name, and asks, too; whoever is stopped, dead or computing does not.
#include "comm/mpi/mpi_communicator.h"

#include <mpi.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <thread>

#include "comm/exchange_communicator.h"
#include "comm/transport.h"
#include "common/clock.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

constexpr int64_t kAnswerMs = 3'000;
constexpr auto kIdlePoll = std::chrono::milliseconds(20);

enum Tag : int { kWhereAreYou = 1, kHere = 2 };
using Place = std::array<char, 64>;  // A collective's name, cut, with a zero at its end.

// The messages of both directions: incoming first.
class MpiTransfer : public Transfer {
 public:
  MpiTransfer(std::span<const OutgoingMessage> outgoing, std::span<const IncomingMessage> incoming, int tag,
              MPI_Comm comm, int64_t max_bytes)
      : tag_(tag), comm_(comm), max_bytes_(max_bytes) {
    for (const IncomingMessage& message : incoming) Receive(message);
    for (const OutgoingMessage& message : outgoing) Send(message);
    statuses_.resize(requests_.size());
  }

  // What can no longer be sent is left to MPI; what has not begun to arrive never will.
  ~MpiTransfer() override {
    for (size_t i = 0; i < requests_.size(); ++i) {
      if (requests_[i] == MPI_REQUEST_NULL) continue;
      if (i < expected_.size()) MPI_Cancel(&requests_[i]);
      MPI_Request_free(&requests_[i]);
    }
  }

  absl::StatusOr<bool> Done() override {
    int done = 0;
    const int code = MPI_Testall(static_cast<int>(requests_.size()), requests_.data(), &done, statuses_.data());
    if (code != MPI_SUCCESS) return absl::InternalError("a rank sends more than another expects");
    if (!done) return false;
    for (size_t i = 0; i < expected_.size(); ++i) {
      int count = 0;
      MPI_Get_count(&statuses_[i], MPI_BYTE, &count);
      if (count != expected_[i]) return absl::InternalError("a rank sends less than another expects");
    }
    return true;
  }

 private:
  void Receive(const IncomingMessage& message) {
    for (int64_t begin = 0; begin < message.size; begin += max_bytes_) {
      expected_.push_back(static_cast<int>(std::min(max_bytes_, message.size - begin)));
      MPI_Irecv(message.data + begin, expected_.back(), MPI_BYTE, message.from, tag_, comm_, &requests_.emplace_back());
    }
  }

  void Send(const OutgoingMessage& message) {
    for (int64_t begin = 0; begin < message.size; begin += max_bytes_) {
      const int bytes = static_cast<int>(std::min(max_bytes_, message.size - begin));
      MPI_Isend(message.data + begin, bytes, MPI_BYTE, message.to, tag_, comm_, &requests_.emplace_back());
    }
  }

  const int tag_;
  const MPI_Comm comm_;
  const int64_t max_bytes_;
  std::vector<MPI_Request> requests_;
  std::vector<MPI_Status> statuses_;
  std::vector<int> expected_;  // Bytes of each incoming message.
};

class MpiTransport : public Transport {
 public:
  explicit MpiTransport(int64_t max_bytes_per_call) : max_bytes_per_call_(max_bytes_per_call) {
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
    MPI_Comm_dup(MPI_COMM_WORLD, &messages_);
    MPI_Comm_dup(MPI_COMM_WORLD, &questions_);
    MPI_Comm_set_errhandler(messages_, MPI_ERRORS_RETURN);
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  // The standard promises tags up to 32767.
  std::unique_ptr<Transfer> Start(std::span<const OutgoingMessage> outgoing, std::span<const IncomingMessage> incoming,
                                  int channel) override {
    static_assert(kChannels <= 32767);
    return std::make_unique<MpiTransfer>(outgoing, incoming, channel, messages_, max_bytes_per_call_);
  }

  void Rest(int64_t looks, bool polite) override {
    if (polite && looks > 64) std::this_thread::sleep_for(kIdlePoll);
  }

  bool SayWhere(const char* what) override {
    for (MPI_Status status; HasMessage(kWhereAreYou, &status);) {
      MPI_Recv(nullptr, 0, MPI_BYTE, status.MPI_SOURCE, kWhereAreYou, questions_, MPI_STATUS_IGNORE);
      Place place{};
      std::strncpy(place.data(), what, place.size() - 1);
      MPI_Send(place.data(), static_cast<int>(place.size()), MPI_CHAR, status.MPI_SOURCE, kHere, questions_);
      asked_ = true;
    }
    return asked_;
  }

  void StopSaying() override {}  // Nobody is told anything outside of SayWhere.

  // Questions to ranks that do not answer are never received: the group ends after this. Ranks that are asked ask at
  // once, so that all of them stay for the same time, however soon the answers are there.
  std::vector<std::string> AskAll(const char* what) override {
    std::vector<std::string> places(static_cast<size_t>(size_));
    for (int rank = 0; rank < size_; ++rank) {
      if (rank == rank_) continue;
      MPI_Request request;
      MPI_Isend(nullptr, 0, MPI_BYTE, rank, kWhereAreYou, questions_, &request);
      MPI_Request_free(&request);
    }
    const int64_t start_ms = SystemClock().MonotonicMs();
    while (SystemClock().MonotonicMs() - start_ms < kAnswerMs) {
      SayWhere(what);
      ReceiveAnswers(&places);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return places;
  }

 private:
  void ReceiveAnswers(std::vector<std::string>* places) const {
    for (MPI_Status status; HasMessage(kHere, &status);) {
      Place place{};
      MPI_Recv(place.data(), static_cast<int>(place.size()), MPI_CHAR, status.MPI_SOURCE, kHere, questions_,
               MPI_STATUS_IGNORE);
      (*places)[static_cast<size_t>(status.MPI_SOURCE)] = place.data();
    }
  }

  bool HasMessage(int tag, MPI_Status* status) const {
    int found = 0;
    MPI_Iprobe(MPI_ANY_SOURCE, tag, questions_, &found, status);
    return found != 0;
  }

  const int64_t max_bytes_per_call_;
  bool asked_ = false;
  int rank_ = 0;
  int size_ = 1;
  MPI_Comm messages_ = MPI_COMM_NULL;
  MPI_Comm questions_ = MPI_COMM_NULL;
};

}  // namespace

std::unique_ptr<Communicator> MakeMpiCommunicator(int64_t timeout_ms, std::function<bool()> hurry,
                                                  int64_t max_bytes_per_call) {
  return MakeExchangeCommunicator(std::make_unique<MpiTransport>(max_bytes_per_call), timeout_ms, std::move(hurry));
}

}  // namespace ridgeline
