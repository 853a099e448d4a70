// SPDX-License-Identifier: Apache-2.0
// What a call shows of its caller, out of its metadata.
#pragma once

#include <grpcpp/server_context.h>

#include <string>

#include "coordinator/control/access.h"
#include "net/tokens.h"

namespace ridgeline {

inline Caller CallerOf(const grpc::ServerContextBase& context) {
  Caller caller;
  caller.address = context.peer();
  const auto [first, end] = context.client_metadata().equal_range(kAuthorizationKey);
  if (first == end) return caller;
  const std::string text(first->second.data(), first->second.size());
  const bool is_token = std::next(first) == end && text.starts_with(kBearerPrefix);
  caller.secret = is_token ? text.substr(kBearerPrefix.size()) : text;  // Else one that nobody knows.
  return caller;
}

}  // namespace ridgeline
