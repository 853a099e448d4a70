// SPDX-License-Identifier: Apache-2.0
#include "net/endpoint.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <cstring>

#include "common/numbers.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

constexpr int64_t kMaxPort = 65'535;
constexpr size_t kMaxHostBytes = 253;  // Of a name in the DNS.

absl::Status Malformed(const std::string& text, std::string_view what, std::string_view why) {
  return absl::InvalidArgumentError(
      fmt::format("{} '{}' is not HOST:PORT ({}); for instance 127.0.0.1:7117 or [::1]:7117", what, text, why));
}

bool IsIpv6(const std::string& host) {
  in6_addr address{};
  return inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

bool IsNameOrIpv4(const std::string& host) {
  return !host.empty() && host.size() <= kMaxHostBytes && std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return isalnum(c) != 0 || c == '.' || c == '-' || c == '_';
  });
}

}  // namespace

std::string Endpoint::ToString() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

absl::StatusOr<Endpoint> ParseEndpoint(const std::string& text, std::string_view what) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos) return Malformed(text, what, "there is no port");
  Endpoint endpoint;
  endpoint.host = text.substr(0, colon);
  const std::string& host = endpoint.host;
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    endpoint.host = host.substr(1, host.size() - 2);
    if (!IsIpv6(endpoint.host)) return Malformed(text, what, "between [ and ] there is no IPv6 address");
  } else if (host.find(':') != std::string::npos) {
    return Malformed(text, what, "an IPv6 address stands between [ and ]");
  } else if (!IsNameOrIpv4(host)) {
    return Malformed(text, what, "the host is no name or address");
  }
  const absl::StatusOr<int64_t> port = ParseInteger(text.substr(colon + 1), 0, kMaxPort);
  if (!port.ok()) return Malformed(text, what, fmt::format("a port is a number from 0 to {}", kMaxPort));
  endpoint.port = static_cast<int>(*port);
  return endpoint;
}

bool IsLoopback(const std::string& host) {
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
  in6_addr v6{};
  if (inet_pton(AF_INET6, host.c_str(), &v6) == 1) {
    if (IN6_IS_ADDR_V4MAPPED(&v6)) return v6.s6_addr[12] == 127;
    return IN6_IS_ADDR_LOOPBACK(&v6);
  }
  return strcasecmp(host.c_str(), "localhost") == 0;
}

}  // namespace ridgeline
