// SPDX-License-Identifier: Apache-2.0
#include "coordinator/control/access.h"

#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "common/status_macros.h"
#include "net/tokens.h"

namespace ridgeline {
namespace {

struct Refusal {
  const char* reason = nullptr;
  absl::Status status;
};

absl::Status Unauthenticated(const char* reason) {
  const std::string_view why = reason;
  if (why == "missing") {
    return absl::UnauthenticatedError(
        "the coordinator asks for a token; name yours with --token-file, RIDGELINE_TOKEN_FILE or RIDGELINE_TOKEN");
  }
  if (why == "expired")
    return absl::UnauthenticatedError("the token has expired; an admin makes a new one (`ridgeline admin token`)");
  if (why == "revoked") return absl::UnauthenticatedError("the token was revoked");
  return absl::UnauthenticatedError("the coordinator does not know the token");
}

// Looks for the token in the state; `principal` is filled in unless there is a problem.
const char* FindProblem(const CoordinatorState& state, const std::string& hash, int64_t now_unix_ms,
                        Principal* principal) {
  const v1::Token* token = state.FindTokenByHash(hash);
  if (token == nullptr) return "unknown";
  if (const std::optional<const char*> problem = TokenProblem(*token, hash, now_unix_ms)) return *problem;
  const absl::StatusOr<Role> role = ParseRole(token->role());
  if (!role.ok()) return "unknown";  // Of a newer version.
  principal->name = token->name();
  principal->role = *role;
  principal->secret_sha256 = hash;
  return nullptr;
}

}  // namespace

std::optional<const char*> TokenProblem(const v1::Token& token, std::string_view secret_sha256, int64_t now_unix_ms) {
  const bool is_current = SameSecret(secret_sha256, token.secret_sha256());
  if (!is_current && !SameSecret(secret_sha256, token.previous_secret_sha256())) return "unknown";
  if (token.is_revoked()) return "revoked";
  if (!is_current && now_unix_ms >= token.previous_expire_unix_ms()) return "expired";
  const bool has_joined = token.is_single_use() && !token.used_by().empty();
  if (token.expire_unix_ms() > 0 && now_unix_ms >= token.expire_unix_ms() && !has_joined) return "expired";
  return std::nullopt;
}

absl::StatusOr<Principal> AccessControl::Admit(std::string_view rpc, const Caller& caller) const {
  if (!requires_tokens_) return LocalPrincipal(caller.address);
  const auto refuse = [&](const char* reason, const absl::Status& status) {
    on_refused_(reason);
    return status;
  };
  if (caller.secret.empty()) return refuse("missing", Unauthenticated("missing"));
  Principal principal;
  principal.address = caller.address;
  const std::string hash = HashToken(caller.secret);
  const int64_t now_unix_ms = clock_->WallUnixMs();
  const char* problem =
      journal_->Read([&](const CoordinatorState& state) { return FindProblem(state, hash, now_unix_ms, &principal); });
  if (problem != nullptr) return refuse(problem, Unauthenticated(problem));
  const std::optional<Role> required = RequiredRole(rpc);
  if (required.has_value() && Suffices(principal.role, *required)) return principal;
  return refuse("role", absl::PermissionDeniedError(fmt::format(
                            "'{}' has the role {}, and this asks for {}", principal.name, RoleName(principal.role),
                            required.has_value() ? RoleName(*required) : std::string_view("what nobody has"))));
}

absl::Status AccessControl::StillGood(const Principal& principal) const {
  if (!requires_tokens_) return absl::OkStatus();
  Principal now;
  const int64_t now_unix_ms = clock_->WallUnixMs();
  const char* problem = journal_->Read(
      [&](const CoordinatorState& state) { return FindProblem(state, principal.secret_sha256, now_unix_ms, &now); });
  if (problem == nullptr) return absl::OkStatus();
  on_refused_(problem);
  return Unauthenticated(problem);
}

absl::Status CheckMayChange(const Principal& principal, const v1::Job& job) {
  if (principal.role == Role::kAdmin) return absl::OkStatus();
  if (principal.role == Role::kSubmitter && principal.name == job.owner()) return absl::OkStatus();
  return absl::PermissionDeniedError(
      fmt::format("{} ('{}') belongs to {}; '{}' may change its own jobs only", job.id(), job.name(),
                  job.owner().empty() ? "nobody" : fmt::format("'{}'", job.owner()), principal.name));
}

v1::Actor ActorOf(const Principal& principal) {
  v1::Actor actor;
  actor.set_name(principal.name);
  actor.set_role(std::string(RoleName(principal.role)));
  actor.set_address(principal.address);
  return actor;
}

}  // namespace ridgeline
