// SPDX-License-Identifier: Apache-2.0
// `ridgeline worker list`: the worker groups that the coordinator knows.
#include <fmt/format.h>

#include <algorithm>

#include "cli/shared/exit_code.h"
#include "cli/shared/verb.h"
#include "cli/shared/worker_text.h"
#include "cli/verbs/verbs.h"
#include "common/print.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

struct WorkerListOptions {
  OutputFormat format = OutputFormat::kTable;
};

absl::StatusOr<int> RunWorkerList(const Session& session, const WorkerListOptions& options) {
  ASSIGN_OR_RETURN(const Client client, session.Connect());
  ASSIGN_OR_RETURN(const v1::ListWorkersResponse response, client.ListWorkers());
  if (options.format == OutputFormat::kName) {
    for (const v1::WorkerGroup& group : response.groups()) PrintOut("{}\n", group.id());
  } else if (options.format == OutputFormat::kTable) {
    if (response.groups().empty()) PrintErr("ridgeline: no worker groups; `ridgeline up` starts one here\n");
    if (!response.groups().empty()) {
      WriteOut(WorkerTable(response, SystemClock().WallUnixMs(), StyleOf(stdout)));
    }
  } else {
    ASSIGN_OR_RETURN(const std::string text, FormatMessage(response, options.format));
    WriteOut(text);
  }
  return kExitOk;
}

}  // namespace

void AddWorkerVerb(CLI::App* app, Session* session) {
  CLI::App* worker = AddVerb(app, "worker", "Worker groups", "ridgeline worker list");
  worker->require_subcommand(1);
  auto options = std::make_shared<WorkerListOptions>();
  CLI::App* list =
      AddVerb(worker, "list", "Groups, ranks, devices, heartbeat, current job", "ridgeline worker list -o json");
  AddOutputOption(list, &options->format);
  SetAction(list, session, options, RunWorkerList);
}

}  // namespace ridgeline
