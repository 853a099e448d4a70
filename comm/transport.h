// SPDX-License-Identifier: Apache-2.0
// What a backend has to bring for MakeExchangeCommunicator to build collectives on: messages between the ranks of a
// job.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace ridgeline {

// Messages under way. Destroyed before they are done, they are given up, and do not touch the memory any more.
class Transfer {
 public:
  virtual ~Transfer() = default;
  // Moves them on, without waiting. INTERNAL where one has another size than its receiver expects.
  virtual absl::StatusOr<bool> Done() = 0;
};

struct OutgoingMessage {
  int to = 0;
  const std::byte* data = nullptr;
  int64_t size = 0;  // Bytes, at least 1.
};

struct IncomingMessage {
  int from = 0;
  std::byte* data = nullptr;
  int64_t size = 0;
};

// Each rank has its own, used by one thread.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  // Messages from one rank to another on one channel arrive in the order in which both sides start them. The memory
  // stays until they are done.
  static constexpr int kChannels = 1 << 14;
  virtual std::unique_ptr<Transfer> Start(std::span<const OutgoingMessage> outgoing,
                                          std::span<const IncomingMessage> incoming, int channel) = 0;

  // Between the `looks`th look at a transfer and the next; `polite` waits may take hours.
  virtual void Rest(int64_t looks, bool polite) = 0;

  // Who hangs. Called again and again while this rank waits in `what`: whoever asks is told. Whether any rank has ever
  // asked: its time-out is over.
  virtual bool SayWhere(const char* what) = 0;
  virtual void StopSaying() = 0;
  // What each rank of the job waits in; empty for ranks that do not answer, and for this one. It lasts so long that
  // ranks which were asked can ask, too, and are told.
  virtual std::vector<std::string> AskAll(const char* what) = 0;
};

}  // namespace ridgeline
