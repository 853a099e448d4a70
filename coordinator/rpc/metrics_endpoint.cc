// SPDX-License-Identifier: Apache-2.0
#include "coordinator/rpc/metrics_endpoint.h"

#include <fmt/format.h>
#include <prometheus/text_serializer.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

namespace ridgeline {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr size_t kMaxConnections = 32;
constexpr size_t kMaxRequestBytes = 16 << 10;
constexpr std::chrono::seconds kMaxLife(10);
constexpr milliseconds kTick(250), kPauseWithoutFiles(20);

std::string HttpAnswer(const char* status, const char* type, const std::string& body, bool with_body = true) {
  return fmt::format("HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}", status,
                     type, body.size(), with_body ? body : "");
}

bool WouldBlock() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

MetricsEndpoint::MetricsEndpoint(Listener listener, std::vector<std::shared_ptr<prometheus::Collectable>> collectables)
    : listener_(std::move(listener)), collectables_(std::move(collectables)), thread_([this] { Run(); }) {}

MetricsEndpoint::~MetricsEndpoint() {
  stop_.Wake();
  thread_.join();
  for (const Connection& connection : connections_) close(connection.fd);
}

void MetricsEndpoint::Run() {
  while (true) {
    WaitForEvents();
    if (polled_[0].revents != 0) return;
    const size_t first = 1 + listener_.fds().size();
    for (size_t i = 0; i < connections_.size(); ++i) {
      if (polled_[first + i].revents == 0) continue;
      connections_[i].answer.empty() ? Read(connections_[i]) : Write(connections_[i]);
    }
    CloseEnded();
    for (size_t i = 0; i < listener_.fds().size(); ++i) {
      if (polled_[1 + i].revents != 0) Accept(listener_.fds()[i]);
    }
  }
}

void MetricsEndpoint::WaitForEvents() {
  polled_.assign(1, {stop_.fd(), POLLIN, 0});
  for (const int fd : listener_.fds()) polled_.push_back({fd, POLLIN, 0});
  for (const Connection& connection : connections_) {
    polled_.push_back({connection.fd, static_cast<int16_t>(connection.answer.empty() ? POLLIN : POLLOUT), 0});
  }
  poll(polled_.data(), polled_.size(), static_cast<int>(connections_.empty() ? -1 : kTick.count()));
}

void MetricsEndpoint::Accept(int listening_fd) {
  const int fd = AcceptFrom(listening_fd);
  if (fd < 0) {
    if (!WouldBlock()) std::this_thread::sleep_for(kPauseWithoutFiles);
    return;
  }
  connections_.push_back({fd, steady_clock::now(), "", "", 0, false});
  if (connections_.size() <= kMaxConnections) return;
  close(connections_.front().fd);
  connections_.pop_front();
}

void MetricsEndpoint::Read(Connection& connection) const {
  char buffer[4096];
  const ssize_t size = recv(connection.fd, buffer, sizeof(buffer), 0);
  if (size <= 0) {
    connection.is_over = size == 0 || !WouldBlock();
    return;
  }
  connection.request.append(buffer, static_cast<size_t>(size));
  if (connection.request.find("\r\n\r\n") != std::string::npos) {
    connection.answer = AnswerTo(connection.request);
  } else if (connection.request.size() > kMaxRequestBytes) {
    connection.answer = HttpAnswer("431 Request Header Fields Too Large", "text/plain", "the request is too long\n");
  }
  if (!connection.answer.empty()) Write(connection);
}

void MetricsEndpoint::Write(Connection& connection) {
  const std::string& answer = connection.answer;
  const ssize_t size =
      send(connection.fd, answer.data() + connection.sent, answer.size() - connection.sent, MSG_NOSIGNAL);
  if (size < 0) {
    connection.is_over = !WouldBlock();
    return;
  }
  connection.sent += static_cast<size_t>(size);
  connection.is_over = connection.sent == answer.size();
}

void MetricsEndpoint::CloseEnded() {
  const auto oldest = steady_clock::now() - kMaxLife;
  std::erase_if(connections_, [&](const Connection& connection) {
    if (!connection.is_over && connection.since >= oldest) return false;
    close(connection.fd);
    return true;
  });
}

std::string MetricsEndpoint::AnswerTo(const std::string& request) const {
  const size_t method_end = request.find(' ');
  const std::string method = request.substr(0, method_end);
  const std::string rest = method_end == std::string::npos ? "" : request.substr(method_end + 1);
  const std::string path = rest.substr(0, rest.find_first_of(" ?\r"));
  if (method != "GET" && method != "HEAD") return HttpAnswer("405 Method Not Allowed", "text/plain", "only GET\n");
  if (path != "/metrics") return HttpAnswer("404 Not Found", "text/plain", "only /metrics is here\n");
  return HttpAnswer("200 OK", "text/plain; version=0.0.4; charset=utf-8", Metrics(), method == "GET");
}

std::string MetricsEndpoint::Metrics() const {
  std::vector<prometheus::MetricFamily> families;
  for (const auto& collectable : collectables_) {
    std::vector<prometheus::MetricFamily> more = collectable->Collect();
    std::move(more.begin(), more.end(), std::back_inserter(families));
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace ridgeline
