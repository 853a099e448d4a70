// SPDX-License-Identifier: Apache-2.0
#include "net/roles.h"

#include <fmt/format.h>

#include <algorithm>

namespace ridgeline {

std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kViewer:
      return "viewer";
    case Role::kSubmitter:
      return "submitter";
    case Role::kAdmin:
      return "admin";
    case Role::kWorker:
      return "worker";
    case Role::kNobody:
      break;
  }
  return "nobody";
}

absl::StatusOr<Role> ParseRole(std::string_view name) {
  for (const Role role : {Role::kViewer, Role::kSubmitter, Role::kAdmin, Role::kWorker}) {
    if (name == RoleName(role)) return role;
  }
  return absl::InvalidArgumentError(fmt::format("'{}' is no role; one of viewer, submitter, admin, worker", name));
}

const std::vector<RpcRule>& RpcRules() {
  // What a submitter may change of a job is, beyond this, only its own.
  static const std::vector<RpcRule> rules = {
      {"/ridgeline.v1.Coordinator/GetInfo", Role::kViewer},
      {"/ridgeline.v1.Coordinator/SubmitJob", Role::kSubmitter},
      {"/ridgeline.v1.Coordinator/GetJob", Role::kViewer},
      {"/ridgeline.v1.Coordinator/ListJobs", Role::kViewer},
      {"/ridgeline.v1.Coordinator/CancelJob", Role::kSubmitter},
      {"/ridgeline.v1.Coordinator/RetryJob", Role::kSubmitter},
      {"/ridgeline.v1.Coordinator/WatchJob", Role::kViewer},
      {"/ridgeline.v1.Coordinator/GetMetrics", Role::kViewer},
      {"/ridgeline.v1.Coordinator/StreamLogs", Role::kViewer},
      {"/ridgeline.v1.Coordinator/ListPoints", Role::kViewer},
      {"/ridgeline.v1.Coordinator/ListWorkers", Role::kViewer},
      {"/ridgeline.v1.Coordinator/ChangeJob", Role::kSubmitter},
      {"/ridgeline.v1.Coordinator/ListQueues", Role::kViewer},
      {"/ridgeline.v1.Coordinator/SetQueue", Role::kAdmin},
      {"/ridgeline.v1.Coordinator/DrainWorker", Role::kAdmin},
      {"/ridgeline.v1.Coordinator/CreateToken", Role::kAdmin},
      {"/ridgeline.v1.Coordinator/ListTokens", Role::kAdmin},
      {"/ridgeline.v1.Coordinator/RevokeToken", Role::kAdmin},
      {"/ridgeline.v1.Coordinator/ListAudit", Role::kAdmin},
      {"/ridgeline.v1.WorkerGateway/Attach", Role::kWorker},
      // gRPC's own, for probes; it tells nothing but that the coordinator serves.
      {"/grpc.health.v1.Health/Check", Role::kNobody},
      {"/grpc.health.v1.Health/Watch", Role::kNobody},
  };
  return rules;
}

std::optional<Role> RequiredRole(std::string_view rpc) {
  const std::vector<RpcRule>& rules = RpcRules();
  const auto found = std::find_if(rules.begin(), rules.end(), [&](const RpcRule& rule) { return rule.rpc == rpc; });
  return found == rules.end() ? std::nullopt : std::optional(found->role);
}

bool Suffices(Role has, Role required) {
  if (required == Role::kNobody) return true;
  if (has == Role::kWorker || required == Role::kWorker) return has == required;
  return static_cast<int>(has) >= static_cast<int>(required);
}

}  // namespace ridgeline
