// SPDX-License-Identifier: Apache-2.0
#include "coordinator/control/token_actions.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "common/status_macros.h"
#include "coordinator/control/access.h"
#include "net/secret_file.h"
#include "net/tokens.h"

namespace ridgeline {
namespace {

using MaybeEvent = absl::StatusOr<std::optional<v1::Event>>;

constexpr size_t kMaxNameBytes = 64;
constexpr size_t kMaxTokens = 10'000;
constexpr int64_t kMaxLifetimeSeconds = int64_t{10} * 366 * 86'400;
constexpr int64_t kMaxOverlapSeconds = int64_t{30} * 86'400;

absl::Status CheckName(const std::string& name) {
  const bool has_form =
      !name.empty() && name.size() <= kMaxNameBytes && std::all_of(name.begin(), name.end(), [](unsigned char c) {
        return (isalnum(c) != 0 && c < 128) || c == '.' || c == '-' || c == '_';
      });
  if (!has_form)
    return absl::InvalidArgumentError(
        fmt::format("a token's name has 1 to {} letters, digits, '.', '-', '_'", kMaxNameBytes));
  if (name != kLocalPrincipal && name != "coordinator") return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("no token is called '{}': the audit means another by that", name));
}

absl::Status CheckSeconds(int64_t seconds, int64_t most, const char* what) {
  if (seconds >= 0 && seconds <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("{} is 0 to {} days", what, most / 86'400));
}

absl::Status CheckRequest(const v1::CreateTokenRequest& request) {
  RETURN_IF_ERROR(CheckName(request.name()));
  RETURN_IF_ERROR(CheckSeconds(request.lifetime_seconds(), kMaxLifetimeSeconds, "a token's lifetime"));
  RETURN_IF_ERROR(CheckSeconds(request.overlap_seconds(), kMaxOverlapSeconds, "the overlap of two secrets"));
  if (request.rotate()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const Role role, ParseRole(request.role()));
  if (request.is_single_use() && role != Role::kWorker)
    return absl::InvalidArgumentError("only a worker's token can be for a single use");
  return absl::OkStatus();
}

bool IsGood(const v1::Token& token, int64_t now_unix_ms) {
  return !TokenProblem(token, token.secret_sha256(), now_unix_ms).has_value();
}

absl::StatusOr<v1::Token> NewToken(const CoordinatorState& state, const v1::CreateTokenRequest& request,
                                   int64_t now_unix_ms) {
  const v1::Token* before = state.FindToken(request.name());
  if (before != nullptr && IsGood(*before, now_unix_ms)) {
    return absl::AlreadyExistsError(
        fmt::format("there is a token '{}'; `ridgeline admin token rotate {}` gives it a "
                    "new secret, `revoke` ends it",
                    request.name(), request.name()));
  }
  if (before == nullptr && state.tokens().size() >= kMaxTokens)
    return absl::ResourceExhaustedError(fmt::format("there are {} tokens, and no more can be", kMaxTokens));
  v1::Token token;
  token.set_name(request.name());
  token.set_role(request.role());
  token.set_is_single_use(request.is_single_use());
  token.set_create_unix_ms(now_unix_ms);
  return token;
}

absl::StatusOr<v1::Token> RotatedToken(const CoordinatorState& state, const v1::CreateTokenRequest& request,
                                       int64_t now_unix_ms) {
  const v1::Token* before = state.FindToken(request.name());
  if (before == nullptr) return absl::NotFoundError(fmt::format("there is no token '{}'", request.name()));
  if (before->is_revoked())
    return absl::FailedPreconditionError(fmt::format("token '{}' was revoked; create it anew", request.name()));
  if (request.lifetime_seconds() == 0 && !IsGood(*before, now_unix_ms))
    return absl::FailedPreconditionError(
        fmt::format("token '{}' has expired; say how long it is good from now on", request.name()));
  v1::Token token = *before;
  token.clear_previous_secret_sha256();
  token.clear_previous_expire_unix_ms();
  if (request.overlap_seconds() == 0) return token;
  token.set_previous_secret_sha256(before->secret_sha256());
  token.set_previous_expire_unix_ms(now_unix_ms + request.overlap_seconds() * 1000);
  return token;
}

v1::Token WithoutHashes(v1::Token token) {
  token.clear_secret_sha256();
  token.clear_previous_secret_sha256();
  return token;
}

v1::Event EventOf(v1::Token token, const Principal& caller) {
  v1::Event event;
  *event.mutable_token_changed()->mutable_token() = std::move(token);
  *event.mutable_actor() = ActorOf(caller);
  return event;
}

// Another join token that the group is bound to, or null.
const v1::Token* BoundElsewhere(const CoordinatorState& state, const std::string& group_id, const std::string& name) {
  for (const auto& [other, token] : state.tokens()) {
    if (token.is_single_use() && token.used_by() == group_id && !token.is_revoked() && other != name) return &token;
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<v1::CreateTokenResponse> TokenActions::Create(const v1::CreateTokenRequest& request,
                                                             const Principal& caller) {
  RETURN_IF_ERROR(CheckRequest(request));
  v1::CreateTokenResponse response;
  ASSIGN_OR_RETURN(*response.mutable_secret(), MakeToken());
  const int64_t now_unix_ms = clock_->WallUnixMs();
  RETURN_IF_ERROR(journal_->Commit([&](const CoordinatorState& state) -> MaybeEvent {
    ASSIGN_OR_RETURN(v1::Token token, request.rotate() ? RotatedToken(state, request, now_unix_ms)
                                                       : NewToken(state, request, now_unix_ms));
    token.set_secret_sha256(HashToken(response.secret()));
    if (request.lifetime_seconds() > 0) token.set_expire_unix_ms(now_unix_ms + request.lifetime_seconds() * 1000);
    *response.mutable_token() = WithoutHashes(token);
    return EventOf(std::move(token), caller);
  }));
  return response;
}

absl::StatusOr<v1::Token> TokenActions::Revoke(const std::string& name, const Principal& caller) {
  v1::Token revoked;
  RETURN_IF_ERROR(journal_->Commit([&](const CoordinatorState& state) -> MaybeEvent {
    const v1::Token* token = state.FindToken(name);
    if (token == nullptr)
      return absl::NotFoundError(fmt::format("there is no token '{}'; `ridgeline admin token list` shows them", name));
    revoked = WithoutHashes(*token);
    revoked.set_is_revoked(true);
    if (token->is_revoked()) return std::nullopt;
    v1::Token changed = *token;
    changed.set_is_revoked(true);
    return EventOf(std::move(changed), caller);
  }));
  return revoked;
}

v1::ListTokensResponse TokenActions::List() const {
  return journal_->Read([](const CoordinatorState& state) {
    v1::ListTokensResponse response;
    for (const auto& [name, token] : state.tokens()) *response.add_tokens() = WithoutHashes(token);
    return response;
  });
}

absl::Status TokenActions::Join(const Principal& caller, const std::string& group_id) {
  if (!caller.has_token()) return absl::OkStatus();
  return journal_->Commit([&](const CoordinatorState& state) -> MaybeEvent {
    const v1::Token* token = state.FindToken(caller.name);
    if (token == nullptr || token->is_revoked()) return absl::UnauthenticatedError("the token was revoked");
    if (const v1::Token* other = BoundElsewhere(state, group_id, token->name())) {
      return absl::PermissionDeniedError(fmt::format(
          "group '{}' joined with the token '{}' and comes back with that only; choose another --group, or revoke it",
          group_id, other->name()));
    }
    if (!token->is_single_use() || token->used_by() == group_id) return std::nullopt;
    if (!token->used_by().empty()) {
      return absl::PermissionDeniedError(fmt::format(
          "the token '{}' is for a single use, and group '{}' has joined with it", token->name(), token->used_by()));
    }
    v1::Token used = *token;
    used.set_used_by(group_id);
    v1::Event event = EventOf(std::move(used), caller);
    event.mutable_actor()->set_name(fmt::format("group {}", group_id));
    return event;
  });
}

// The file comes first: a crash between the two leaves a file that the next start replaces.
absl::Status TokenActions::MakeFirstAdmin(const std::string& path, bool again) {
  const int64_t now_unix_ms = clock_->WallUnixMs();
  const bool has_admin = journal_->Read([&](const CoordinatorState& state) {
    return std::any_of(state.tokens().begin(), state.tokens().end(), [&](const auto& entry) {
      return entry.second.role() == RoleName(Role::kAdmin) && IsGood(entry.second, now_unix_ms);
    });
  });
  if (has_admin && !again) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string secret, MakeToken());
  RETURN_IF_ERROR(WriteSecretFile(path, secret + "\n"));
  v1::Token token;
  token.set_name(kFirstAdmin);
  token.set_role(std::string(RoleName(Role::kAdmin)));
  token.set_secret_sha256(HashToken(secret));
  token.set_create_unix_ms(now_unix_ms);
  v1::Event event;
  *event.mutable_token_changed()->mutable_token() = std::move(token);
  RETURN_IF_ERROR(journal_->Commit(std::move(event)));
  spdlog::info("a token for the first admin is in {}", path);
  return absl::OkStatus();
}

}  // namespace ridgeline
