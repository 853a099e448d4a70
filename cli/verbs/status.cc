// SPDX-License-Identifier: Apache-2.0
// `ridgeline status`: the coordinator, its worker groups and how many jobs are in each state.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/shared/exit_code.h"
#include "cli/shared/terminal.h"
#include "cli/shared/verb.h"
#include "cli/shared/worker_text.h"
#include "cli/verbs/verbs.h"
#include "common/print.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

struct StatusOptions {
  OutputFormat format = OutputFormat::kTable;
};

struct StackStatus {
  std::string address;
  v1::Info info;
  v1::ListWorkersResponse workers;
};

// A coordinator that is just being restarted by its supervisor is waited for; a dead one is not.
absl::StatusOr<StackStatus> ReadStatus(const Session& session) {
  CallPolicy policy;
  if (session.coordinator.empty()) {
    ASSIGN_OR_RETURN(const StackPaths paths, session.Paths());
    if (!SupervisorIsAlive(paths)) policy.retry_for = std::chrono::seconds(1);
  }
  ASSIGN_OR_RETURN(const Client client, session.Connect(policy));
  StackStatus status;
  status.address = client.address();
  ASSIGN_OR_RETURN(status.info, client.GetInfo());
  ASSIGN_OR_RETURN(status.workers, client.ListWorkers());
  return status;
}

void PrintTable(const StackStatus& status) {
  const int64_t now_unix_ms = SystemClock().WallUnixMs();
  const v1::Info& info = status.info;
  PrintOut("coordinator  {}  version {}  up {}\n", status.address, info.version(),
           HumanAge(now_unix_ms - info.start_unix_ms()));
  if (!info.metrics_address().empty()) PrintOut("metrics      http://{}/metrics\n", info.metrics_address());
  PrintOut("state        {}{}\n", info.state_dir(),
           info.read_only()
               ? "  (its disk is full: what is there can be read, and nothing changes until there is space)"
               : "");
  std::string jobs;
  for (const char* state : {"QUEUED", "RUNNING", "PAUSED", "SUCCEEDED", "FAILED", "CANCELLED"}) {
    const auto found = info.jobs_by_state().find(state);
    if (found == info.jobs_by_state().end() || found->second == 0) continue;
    std::string name = state;
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    jobs += fmt::format("{}{} {}", jobs.empty() ? "" : ", ", found->second, name);
  }
  PrintOut("jobs         {}\n", jobs.empty() ? "none" : jobs);
  PrintOut("groups       {} ({} ranks)\n", info.groups(), info.ranks());
  if (!status.workers.groups().empty()) PrintOut("\n{}", WorkerTable(status.workers, now_unix_ms, StyleOf(stdout)));
}

absl::StatusOr<int> RunStatus(const Session& session, const StatusOptions& options) {
  ASSIGN_OR_RETURN(const StackStatus status, ReadStatus(session));
  if (options.format == OutputFormat::kTable) {
    PrintTable(status);
  } else if (options.format == OutputFormat::kName) {
    PrintOut("{}\n", status.address);
  } else {
    nlohmann::ordered_json json = {{"address", status.address}};
    ASSIGN_OR_RETURN(json["coordinator"], MessageToJson(status.info));
    ASSIGN_OR_RETURN(const nlohmann::ordered_json workers, MessageToJson(status.workers));
    json["groups"] = workers["groups"];
    WriteOut(FormatJson(json, options.format));
  }
  return kExitOk;
}

}  // namespace

void AddStatusVerb(CLI::App* app, Session* session) {
  auto options = std::make_shared<StatusOptions>();
  CLI::App* verb =
      AddVerb(app, "status", "Show the coordinator, its worker groups and job counts", "ridgeline status -o json");
  AddOutputOption(verb, &options->format);
  SetAction(verb, session, options, RunStatus);
}

}  // namespace ridgeline
