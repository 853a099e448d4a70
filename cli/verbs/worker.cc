// SPDX-License-Identifier: Apache-2.0
// `ridgeline worker list`: the worker groups that the coordinator knows; `ridgeline worker drain`: which get no jobs.
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

struct DrainOptions {
  std::vector<std::string> groups;
  bool undo = false;
  OutputFormat format = OutputFormat::kTable;
};

std::string DrainText(const v1::WorkerGroup& group) {
  if (!group.draining()) return "gets jobs";
  if (group.job_id().empty()) return "drained";
  return fmt::format("draining: {} still runs on it", group.job_id());
}

// One that fails does not stop the others; the exit code is that of the first failure.
absl::StatusOr<int> RunWorkerDrain(const Session& session, const DrainOptions& options) {
  ASSIGN_OR_RETURN(const Client client, session.Connect());
  int exit_code = kExitOk;
  v1::ListWorkersResponse answers;
  for (const std::string& id : options.groups) {
    const absl::StatusOr<v1::WorkerGroup> group = client.DrainWorker(id, options.undo);
    if (!group.ok()) {
      PrintErr("ridgeline: {}: {}\n", id, std::string(group.status().message()));
      if (exit_code == kExitOk) exit_code = ExitCodeOf(group.status());
      continue;
    }
    if (options.format == OutputFormat::kTable) PrintOut("{} {}\n", group->id(), DrainText(*group));
    if (options.format == OutputFormat::kName) PrintOut("{}\n", group->id());
    *answers.add_groups() = *group;
  }
  if (options.format == OutputFormat::kJson || options.format == OutputFormat::kYaml) {
    ASSIGN_OR_RETURN(const std::string text, FormatMessage(answers, options.format));
    WriteOut(text);
  }
  return exit_code;
}

void AddDrainVerb(CLI::App* worker, Session* session) {
  auto options = std::make_shared<DrainOptions>();
  CLI::App* drain = AddVerb(worker, "drain", "Give groups no further job; what runs on them goes on",
                            "ridgeline worker drain node-7");
  drain->add_option("groups", options->groups, "Names of worker groups")->required()->type_name("GROUP...");
  drain->add_flag("--undo", options->undo, "Give them jobs again");
  AddOutputOption(drain, &options->format);
  SetAction(drain, session, options, RunWorkerDrain);
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
  AddDrainVerb(worker, session);
}

}  // namespace ridgeline
