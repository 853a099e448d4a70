// SPDX-License-Identifier: Apache-2.0
// Who may call what: tokens as the journal has them, roles as net/roles.h has them, and jobs by their owners.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "coordinator/state/journal.h"
#include "net/principal.h"

namespace ridgeline {

// Why calls are refused, as the label `reason` of ridgeline_auth_failures_total has it.
inline constexpr const char* kAccessRefusals[] = {"missing", "unknown", "expired", "revoked", "role", "owner", "group"};

// What a call shows of its caller.
struct Caller {
  std::string secret;   // Empty: none was shown.
  std::string address;  // "ipv4:127.0.0.1:40112"
};

// Thread-safe. The journal and the clock must outlive it.
class AccessControl {
 public:
  using OnRefused = std::function<void(const char* reason)>;
  // Without `requires_tokens` everybody is the local principal and may call everything.
  AccessControl(const Journal* journal, const Clock* clock, bool requires_tokens, OnRefused on_refused)
      : journal_(journal), clock_(clock), requires_tokens_(requires_tokens), on_refused_(std::move(on_refused)) {}

  // `rpc`: "/ridgeline.v1.Coordinator/GetJob". UNAUTHENTICATED without a token that is good now, PERMISSION_DENIED if
  // its role does not suffice or the table of roles does not have the RPC. Refusals are counted.
  absl::StatusOr<Principal> Admit(std::string_view rpc, const Caller& caller) const;
  // Whether who was admitted earlier still would be: for streams.
  absl::Status StillGood(const Principal& principal) const;
  // Of refusals that were decided elsewhere.
  void Count(const char* reason) const { on_refused_(reason); }

 private:
  const Journal* const journal_;
  const Clock* const clock_;
  const bool requires_tokens_;
  const OnRefused on_refused_;
};

// A submitter changes its own jobs only, an admin all. PERMISSION_DENIED names the owner.
absl::Status CheckMayChange(const Principal& principal, const v1::Job& job);

// For the journal.
v1::Actor ActorOf(const Principal& principal);

// Why a token with this hash of a secret is not good now: a reason, or nothing. A join token that has been used stays
// good for its group until it is revoked.
std::optional<const char*> TokenProblem(const v1::Token& token, std::string_view secret_sha256, int64_t now_unix_ms);

}  // namespace ridgeline
