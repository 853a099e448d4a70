// SPDX-License-Identifier: Apache-2.0
// Tokens as the state knows them: by name, and by the hashes of their secrets. Whether one is good at a time is decided
// elsewhere (control/access.h), since the state has no clock.
#include <fmt/format.h>

#include "coordinator/state/coordinator_state.h"

namespace ridgeline {
namespace {

constexpr size_t kHashDigits = 64;

}  // namespace

const v1::Token* CoordinatorState::FindToken(const std::string& name) const {
  const auto found = tokens_.find(name);
  return found == tokens_.end() ? nullptr : &found->second;
}

const v1::Token* CoordinatorState::FindTokenByHash(const std::string& secret_sha256) const {
  const auto found = token_by_hash_.find(secret_sha256);
  return found == token_by_hash_.end() ? nullptr : FindToken(found->second);
}

absl::Status CoordinatorState::CheckToken(const v1::Token& token) const {
  if (token.name().empty() || token.role().empty() || token.secret_sha256().size() != kHashDigits)
    return absl::InvalidArgumentError("a token without name, role or hash");
  const v1::Token* other = FindTokenByHash(token.secret_sha256());
  if (other == nullptr || other->name() == token.name()) return absl::OkStatus();
  return absl::AlreadyExistsError(fmt::format("token '{}' has the secret of '{}'", token.name(), other->name()));
}

void CoordinatorState::ApplyToken(const v1::Token& token) {
  if (const v1::Token* before = FindToken(token.name())) {
    token_by_hash_.erase(before->secret_sha256());
    token_by_hash_.erase(before->previous_secret_sha256());
  }
  tokens_[token.name()] = token;
  token_by_hash_[token.secret_sha256()] = token.name();
  if (!token.previous_secret_sha256().empty()) token_by_hash_[token.previous_secret_sha256()] = token.name();
}

}  // namespace ridgeline
