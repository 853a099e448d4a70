// SPDX-License-Identifier: Apache-2.0
#include "coordinator/rpc/listener.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/numbers.h"
#include "common/file.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

constexpr int kBacklog = 1024;
constexpr int kMaxPort = 65'535;

struct HostAndPort {
  std::string host;
  int port = 0;
};

absl::StatusOr<HostAndPort> Split(const std::string& address, const std::string& flag) {
  const size_t colon = address.rfind(':');
  HostAndPort parts;
  if (colon == std::string::npos || colon == 0 || !absl::SimpleAtoi(address.substr(colon + 1), &parts.port) ||
      parts.port < 0 || parts.port > kMaxPort) {
    return absl::InvalidArgumentError(fmt::format(
        "{} '{}' is not HOST:PORT with a port of at most {}; for instance 127.0.0.1:7117", flag, address, kMaxPort));
  }
  parts.host = address.substr(0, colon);
  if (parts.host.size() > 2 && parts.host.front() == '[' && parts.host.back() == ']')
    parts.host = parts.host.substr(1, parts.host.size() - 2);
  return parts;
}

int PortOf(int fd) {
  sockaddr_storage bound{};
  socklen_t size = sizeof(bound);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0) return 0;
  if (bound.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6*>(&bound)->sin6_port);
  return ntohs(reinterpret_cast<const sockaddr_in*>(&bound)->sin_port);
}

void SetPort(sockaddr* address, int port) {
  const uint16_t wire = htons(static_cast<uint16_t>(port));
  if (address->sa_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(address)->sin6_port = wire;
  } else {
    reinterpret_cast<sockaddr_in*>(address)->sin_port = wire;
  }
}

// -1 with errno.
int ListenOn(int family, const sockaddr* address, socklen_t size) {
  const int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int yes = 1, no = 0;
  if (family != AF_UNIX) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  if (family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
  // A file's mode is set before anyone can connect.
  const auto* path = reinterpret_cast<const sockaddr_un*>(address)->sun_path;
  if (bind(fd, address, size) == 0 && (family != AF_UNIX || chmod(path, 0600) == 0) && listen(fd, kBacklog) == 0)
    return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

}  // namespace

absl::StatusOr<Listener> Listener::OpenTcp(const std::string& address, const std::string& flag) {
  ASSIGN_OR_RETURN(const HostAndPort parts, Split(address, flag));
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(parts.host.c_str(), "0", &hints, &found); error != 0) {
    return absl::FailedPreconditionError(
        fmt::format("{} '{}' cannot be listened on: {}", flag, address, gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  Listener listener;
  int port = parts.port, error = 0;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    SetPort(each->ai_addr, port);
    const int fd = ListenOn(each->ai_family, each->ai_addr, each->ai_addrlen);
    if (fd < 0) {
      error = errno;
      continue;
    }
    listener.fds_.push_back(fd);
    port = PortOf(fd);
  }
  // A name may have an address of a kind that this machine lacks; a port that is taken on one of them is another's.
  if (listener.fds_.empty() || error == EADDRINUSE) {
    return absl::FailedPreconditionError(fmt::format("{} '{}' cannot be listened on ({}){}", flag, address,
                                                     std::strerror(error),
                                                     error == EADDRINUSE ? "; port 0 takes any free one" : ""));
  }
  listener.address_ = fmt::format("{}:{}", address.substr(0, address.rfind(':')), port);
  return listener;
}

absl::StatusOr<Listener> Listener::OpenUnix(const std::string& path) {
  sockaddr_un address{};
  if (path.size() >= sizeof(address.sun_path))
    return absl::InvalidArgumentError(fmt::format("{} is too long for a socket's path", path));
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  unlink(path.c_str());
  const int fd = ListenOn(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  if (fd < 0) return ErrnoStatus(errno, fmt::format("cannot listen on {}", path));
  Listener listener;
  listener.fds_.push_back(fd);
  listener.address_ = path;
  listener.is_unix_ = true;
  return listener;
}

Listener::Listener(Listener&& other) noexcept
    : fds_(std::exchange(other.fds_, {})), address_(std::move(other.address_)), is_unix_(other.is_unix_) {}

Listener::~Listener() {
  for (const int fd : fds_) close(fd);
  if (is_unix_ && !fds_.empty()) unlink(address_.c_str());
}

int AcceptFrom(int listening_fd) {
  const int fd = accept4(listening_fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  const int yes = 1;
  if (fd >= 0) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));  // Fails on Unix sockets, without harm.
  return fd;
}

int64_t RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  const rlimit raised{limit.rlim_max, limit.rlim_max};
  if (limit.rlim_cur < limit.rlim_max && setrlimit(RLIMIT_NOFILE, &raised) == 0) limit.rlim_cur = limit.rlim_max;
  return static_cast<int64_t>(std::min<rlim_t>(limit.rlim_cur, 1 << 20));
}

}  // namespace ridgeline
