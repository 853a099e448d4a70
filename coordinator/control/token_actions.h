// SPDX-License-Identifier: Apache-2.0
// Tokens as people manage them, and as worker groups join with them. Secrets are made here, handed out once, and kept
// by nobody: the journal has their hashes.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "coordinator/state/journal.h"
#include "net/principal.h"
#include "ridgeline/v1/coordinator.pb.h"

namespace ridgeline {

// Of the token that a coordinator makes for who installs it.
inline constexpr char kFirstAdmin[] = "admin";

// Thread-safe. The journal and the clock must outlive it. What was changed is durable when a call returns.
class TokenActions {
 public:
  TokenActions(Journal* journal, const Clock* clock) : journal_(journal), clock_(clock) {}

  // A new token, or with `rotate` a new secret for one that there is. ALREADY_EXISTS while one of this name is good.
  absl::StatusOr<v1::CreateTokenResponse> Create(const v1::CreateTokenRequest& request, const Principal& caller);
  // Takes effect at once, also on streams.
  absl::StatusOr<v1::Token> Revoke(const std::string& name, const Principal& caller);
  // By name, revoked ones too; without hashes.
  v1::ListTokensResponse List() const;

  // The group's first message came with the caller's token. A join token takes the first group that shows it for its
  // own; PERMISSION_DENIED for any other group, and for who shows another token than the one that the group joined
  // with.
  absl::Status Join(const Principal& caller, const std::string& group_id);

  // Writes a token for a first admin to `path` unless there is an admin who can call; with `again` in any case, for who
  // has lost theirs.
  absl::Status MakeFirstAdmin(const std::string& path, bool again);

 private:
  Journal* const journal_;
  const Clock* const clock_;
};

}  // namespace ridgeline
