// SPDX-License-Identifier: Apache-2.0
// Stands before a gRPC server and takes its connections, so that no number of them can lock out new clients.
//
// gRPC 1.51 never listens again after an accept that failed for want of descriptors. Here a connection is handed on
// with its first byte; those that say nothing wait, and end when they have waited too long or, the oldest first, when
// there are too many.
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "coordinator/rpc/listener.h"
#include "coordinator/rpc/wake_fd.h"

namespace ridgeline {

struct ConnectionLimits {
  size_t open = 512;    // Handed on and not closed yet; beyond that, new ones are closed at once.
  size_t silent = 128;  // Have not said anything.
  std::chrono::milliseconds silence{10'000};
};

// What a process with so many descriptors can give to its clients; the rest is for files, logs and other entrances.
ConnectionLimits LimitsForFiles(int64_t max_files);

// Has one thread, which ends with it.
class ConnectionGuard {
 public:
  // `hand_over` gets each connection that speaks, and owns it from then on; called by the guard's thread.
  ConnectionGuard(Listener listener, ConnectionLimits limits, std::function<void(int fd)> hand_over);
  ~ConnectionGuard();
  ConnectionGuard(const ConnectionGuard&) = delete;

  const std::string& address() const { return listener_.address(); }

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Silent {
    int fd;
    Time since;
  };
  // A descriptor that others own is known again by its socket's number: they may have closed it meanwhile.
  struct Open {
    int fd;
    ino_t inode;
  };

  void Run();
  void WaitForEvents();  // Results are in polled_.
  void AcceptAll(int listening_fd);
  void HandOverSpeaking();
  void CloseOverdue();
  bool HasRoom();
  void CloseOldestSilent();

  const Listener listener_;
  const ConnectionLimits limits_;
  const std::function<void(int)> hand_over_;
  WakeFd stop_;
  // The thread's own.
  std::vector<pollfd> polled_;  // The wish to stop, the listening sockets, then silent_ in its order.
  std::deque<Silent> silent_;   // The oldest first.
  std::vector<Open> open_;
  Time told_, swept_;
  std::thread thread_;
};

}  // namespace ridgeline
