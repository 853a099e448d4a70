// SPDX-License-Identifier: Apache-2.0
#include "cli/shared/job_targets.h"

#include <fmt/format.h>

#include <set>

#include "cli/shared/exit_code.h"
#include "cli/shared/job_text.h"
#include "cli/shared/parse.h"
#include "common/print.h"
#include "common/status_macros.h"
#include "net/principal.h"

namespace ridgeline {
namespace {

absl::StatusOr<std::vector<std::string>> SelectedJobs(const Client& client, const JobTargets& targets,
                                                      const std::vector<v1::JobState>& states) {
  v1::ListJobsRequest request;
  request.set_omit_recipes(true);
  request.set_owner(kOwnJobs);  // Those of others would be refused one by one, or an admin's slip would end them all.
  for (const v1::JobState state : states) request.add_states(state);
  ASSIGN_OR_RETURN(const auto selector, ParseSelector(targets.selectors));
  request.mutable_selector()->insert(selector.begin(), selector.end());
  ASSIGN_OR_RETURN(const std::vector<v1::Job> jobs, client.ListJobs(request));
  std::set<std::string> meant;
  for (const v1::Job& job : jobs) meant.insert(job.id());
  std::vector<std::string> ids;
  for (const v1::Job& job : jobs)
    if (meant.count(job.parent_id()) == 0) ids.push_back(job.id());
  if (ids.empty()) return absl::NotFoundError("no job with these labels is in a state for it");
  return ids;
}

// What was asked for and is not there yet.
std::string StateText(const v1::Job& job) {
  if (IsTerminal(job.state())) return StateName(job.state());
  if (job.cancel_requested()) return "cancelling";
  if (job.paused() && job.state() == v1::RUNNING) return "pausing";
  return StateName(job.state());
}

absl::Status PrintAll(const v1::ListJobsResponse& jobs, OutputFormat format) {
  if (format != OutputFormat::kJson && format != OutputFormat::kYaml) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string text, FormatMessage(jobs, format));
  WriteOut(text);
  return absl::OkStatus();
}

}  // namespace

void AddJobTargets(CLI::App* verb, JobTargets* targets) {
  verb->add_option("jobs", targets->jobs, "Ids or names")->type_name("JOB...");
  verb->add_option("-l,--selector", targets->selectors, "Jobs with these labels instead; repeatable")
      ->type_name("KEY=VALUE,...")
      ->allow_extra_args(false);
  AddOutputOption(verb, &targets->format);
}

absl::StatusOr<int> CallForEachJob(const Client& client, const JobTargets& targets,
                                   const std::vector<v1::JobState>& states,
                                   const std::function<absl::StatusOr<v1::Job>(const std::string&)>& call) {
  if (targets.jobs.empty() == targets.selectors.empty())
    return absl::InvalidArgumentError("name jobs, or choose them by --selector key=value");
  std::vector<std::string> names = targets.jobs;
  if (names.empty()) {
    ASSIGN_OR_RETURN(names, SelectedJobs(client, targets, states));
  }
  int exit_code = kExitOk;
  v1::ListJobsResponse answers;
  for (const std::string& name : names) {
    const absl::StatusOr<v1::Job> job = call(name);
    if (!job.ok()) {
      PrintErr("ridgeline: {}: {}\n", name, std::string(job.status().message()));
      if (exit_code == kExitOk) exit_code = ExitCodeOf(job.status());
      continue;
    }
    if (targets.format == OutputFormat::kTable) PrintOut("{} {}\n", job->id(), StateText(*job));
    if (targets.format == OutputFormat::kName) PrintOut("{}\n", job->id());
    *answers.add_jobs() = *job;
  }
  RETURN_IF_ERROR(PrintAll(answers, targets.format));
  return exit_code;
}

}  // namespace ridgeline
