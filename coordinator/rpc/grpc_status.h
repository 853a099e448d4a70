// SPDX-License-Identifier: Apache-2.0
// absl::Status to grpc::Status: the codes are the same numbers.
#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"

namespace ridgeline {

// gRPC sends the message as metadata, which clients limit to 8 KiB after escaping.
inline constexpr size_t kMaxStatusMessageBytes = 4'000;

inline grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  std::string message(status.message());
  if (message.size() > kMaxStatusMessageBytes) message = message.substr(0, kMaxStatusMessageBytes) + " ...";
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), message);
}

}  // namespace ridgeline
