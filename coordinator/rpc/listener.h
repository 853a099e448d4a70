// SPDX-License-Identifier: Apache-2.0
// Where the coordinator waits for connections: the sockets themselves, before anything speaks on them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace ridgeline {

// Listening sockets, non-blocking, closed with it.
class Listener {
 public:
  // HOST:PORT or [IPV6]:PORT; port 0 takes a free one, and a name listens on each of its addresses. `flag` is named in
  // errors. INVALID_ARGUMENT: not an address; FAILED_PRECONDITION: cannot be listened on, with the system's reason.
  static absl::StatusOr<Listener> OpenTcp(const std::string& address, const std::string& flag);
  // A socket in the file system that only this user may connect to; what is at the path is removed. INVALID_ARGUMENT if
  // the path is longer than the system allows.
  static absl::StatusOr<Listener> OpenUnix(const std::string& path);

  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&&) = delete;
  ~Listener();

  const std::vector<int>& fds() const { return fds_; }
  const std::string& address() const { return address_; }  // With the port that it has; of a Unix socket the path.

 private:
  Listener() = default;

  std::vector<int> fds_;
  std::string address_;
  bool is_unix_ = false;
};

// The next connection of a listening socket, non-blocking and not inherited by programs; -1 with errno if there is
// none or no descriptor for it.
int AcceptFrom(int listening_fd);

// Lets this process have as many descriptors as it may, and says how many.
int64_t RaiseFileLimit();

}  // namespace ridgeline
