// SPDX-License-Identifier: Apache-2.0
// Who calls: the name and role of the token that was shown, and where the call came from.
#pragma once

#include <string>

#include "net/roles.h"

namespace ridgeline {

inline constexpr char kOwnJobs[] = "@me";           // As ListJobsRequest.owner: the caller. No token has such a name.
inline constexpr char kLocalPrincipal[] = "local";  // Everybody, where no tokens are asked for.

struct Principal {
  std::string name;           // Of the token.
  Role role = Role::kNobody;  // What it may do.
  std::string address;        // "ipv4:127.0.0.1:40112"
  std::string secret_sha256;  // Of what was shown; empty where no tokens are asked for.

  bool has_token() const { return !secret_sha256.empty(); }
};

// May call everything: people and workers of a coordinator without tokens.
inline Principal LocalPrincipal(const std::string& address) { return {kLocalPrincipal, Role::kAdmin, address, ""}; }

}  // namespace ridgeline
