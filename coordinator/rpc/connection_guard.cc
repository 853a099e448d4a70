// SPDX-License-Identifier: Apache-2.0
#include "coordinator/rpc/connection_guard.h"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace ridgeline {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int64_t kFilesForOthers = 192;  // Stores, logs, /metrics, the entrance for administrators.
constexpr milliseconds kTick(250), kPauseWithoutFiles(20), kSweepInterval(100);
constexpr std::chrono::seconds kTellInterval(10);
constexpr int kAcceptsInARow = 256;  // Then those that have spoken get their turn.

ino_t InodeOf(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 ? status.st_ino : 0;
}

bool HasSaidSomething(int fd) {
  char byte = 0;
  return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

}  // namespace

ConnectionLimits LimitsForFiles(int64_t max_files) {
  const int64_t usable = std::max<int64_t>(64, max_files - kFilesForOthers);
  ConnectionLimits limits;
  limits.silent = static_cast<size_t>(std::min<int64_t>(usable / 4, 1024));
  limits.open = static_cast<size_t>(usable) - limits.silent;
  return limits;
}

ConnectionGuard::ConnectionGuard(Listener listener, ConnectionLimits limits, std::function<void(int)> hand_over)
    : listener_(std::move(listener)), limits_(limits), hand_over_(std::move(hand_over)), thread_([this] { Run(); }) {}

ConnectionGuard::~ConnectionGuard() {
  stop_.Wake();
  thread_.join();
  for (const Silent& silent : silent_) close(silent.fd);
}

void ConnectionGuard::Run() {
  while (true) {
    WaitForEvents();
    if (polled_[0].revents != 0) return;
    HandOverSpeaking();
    for (size_t i = 0; i < listener_.fds().size(); ++i) {
      if (polled_[1 + i].revents != 0) AcceptAll(listener_.fds()[i]);
    }
    CloseOverdue();
  }
}

void ConnectionGuard::WaitForEvents() {
  polled_.assign(1, {stop_.fd(), POLLIN, 0});
  for (const int fd : listener_.fds()) polled_.push_back({fd, POLLIN, 0});
  for (const Silent& silent : silent_) polled_.push_back({silent.fd, POLLIN, 0});
  poll(polled_.data(), polled_.size(), static_cast<int>(silent_.empty() ? -1 : kTick.count()));
}

void ConnectionGuard::AcceptAll(int listening_fd) {
  for (int i = 0; i < kAcceptsInARow; ++i) {
    const int fd = AcceptFrom(listening_fd);
    if (fd >= 0) {
      silent_.push_back({fd, steady_clock::now()});
      if (silent_.size() > limits_.silent) CloseOldestSilent();
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return;
    // No descriptor: the connection waits in the system's queue until one is free.
    CloseOldestSilent();
    std::this_thread::sleep_for(kPauseWithoutFiles);
    return;
  }
}

void ConnectionGuard::HandOverSpeaking() {
  const size_t first = 1 + listener_.fds().size();
  std::deque<Silent> still_silent;
  for (size_t i = 0; i < silent_.size(); ++i) {
    const Silent& connection = silent_[i];
    if (polled_[first + i].revents == 0) {
      still_silent.push_back(connection);
    } else if (!HasSaidSomething(connection.fd) || !HasRoom()) {
      close(connection.fd);
    } else {
      open_.push_back({connection.fd, InodeOf(connection.fd)});
      hand_over_(connection.fd);
    }
  }
  silent_ = std::move(still_silent);
}

bool ConnectionGuard::HasRoom() {
  const Time now = steady_clock::now();
  if (open_.size() >= limits_.open && now - swept_ >= kSweepInterval) {
    swept_ = now;
    std::erase_if(open_, [](const Open& open) { return InodeOf(open.fd) != open.inode; });
  }
  if (open_.size() < limits_.open) return true;
  if (now - told_ >= kTellInterval) {
    told_ = now;
    spdlog::warn("{}: {} connections are open, as many as fit; new ones are closed", address(), open_.size());
  }
  return false;
}

void ConnectionGuard::CloseOverdue() {
  const Time oldest = steady_clock::now() - limits_.silence;
  while (!silent_.empty() && silent_.front().since < oldest) CloseOldestSilent();
}

void ConnectionGuard::CloseOldestSilent() {
  if (silent_.empty()) return;
  close(silent_.front().fd);
  silent_.pop_front();
}

}  // namespace ridgeline
