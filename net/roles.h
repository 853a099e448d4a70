// SPDX-License-Identifier: Apache-2.0
// What each role may call, in one table. Viewer < submitter < admin: each may what the one before may. A worker may
// attach and nothing else, and nobody else may attach.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace ridgeline {

enum class Role {
  kNobody,  // Shows no token.
  kViewer,
  kSubmitter,
  kAdmin,
  kWorker,
};

// "viewer", "submitter", "admin", "worker"; "nobody".
std::string_view RoleName(Role role);
// INVALID_ARGUMENT lists the four that a token can have.
absl::StatusOr<Role> ParseRole(std::string_view name);

struct RpcRule {
  std::string_view rpc;  // "/ridgeline.v1.Coordinator/GetJob"
  Role role = Role::kNobody;
};
const std::vector<RpcRule>& RpcRules();

// Nothing for an RPC that is not in the table: nobody may call that.
std::optional<Role> RequiredRole(std::string_view rpc);
// Whether a caller of role `has` may call what asks for `required`.
bool Suffices(Role has, Role required);

}  // namespace ridgeline
