// SPDX-License-Identifier: Apache-2.0
// Where a program listens or calls: HOST:PORT as typed, and whether that is this machine.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace ridgeline {

struct Endpoint {
  std::string host;  // A name or an address; of IPv6 without its brackets.
  int port = 0;      // 0..65535

  // "127.0.0.1:7117", "[::1]:7117"
  std::string ToString() const;
};

// HOST:PORT, [IPV6]:PORT. INVALID_ARGUMENT names `what` (a flag), the text, and what it should be.
absl::StatusOr<Endpoint> ParseEndpoint(const std::string& text, std::string_view what);

// Whether the host can only be this machine: an address in 127.0.0.0/8, ::1 (also as ::ffff:127.0.0.1), or the name
// localhost. Names that only begin like an address are names.
bool IsLoopback(const std::string& host);

}  // namespace ridgeline
