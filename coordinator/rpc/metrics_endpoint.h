// SPDX-License-Identifier: Apache-2.0
// The /metrics endpoint: HTTP enough for Prometheus, curl and a browser. One thread serves all and waits for none of
// them, so that requests that never end delay nobody.
#pragma once

#include <poll.h>
#include <prometheus/collectable.h>

#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "coordinator/rpc/listener.h"
#include "coordinator/rpc/wake_fd.h"

namespace ridgeline {

class MetricsEndpoint {
 public:
  // Asks the collectables at each request, from its own thread.
  MetricsEndpoint(Listener listener, std::vector<std::shared_ptr<prometheus::Collectable>> collectables);
  ~MetricsEndpoint();
  MetricsEndpoint(const MetricsEndpoint&) = delete;

  const std::string& address() const { return listener_.address(); }

 private:
  struct Connection {
    int fd;
    std::chrono::steady_clock::time_point since;
    std::string request;  // As much as has come.
    std::string answer;   // Empty until the request is whole.
    size_t sent = 0;
    bool is_over = false;
  };

  void Run();
  void WaitForEvents();
  void Accept(int listening_fd);
  void Read(Connection& connection) const;
  static void Write(Connection& connection);
  void CloseEnded();
  std::string AnswerTo(const std::string& request) const;
  std::string Metrics() const;

  const Listener listener_;
  const std::vector<std::shared_ptr<prometheus::Collectable>> collectables_;
  WakeFd stop_;
  // The thread's own.
  std::vector<pollfd> polled_;
  std::deque<Connection> connections_;  // The oldest first.
  std::thread thread_;
};

}  // namespace ridgeline
