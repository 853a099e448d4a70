// SPDX-License-Identifier: Apache-2.0
// `ridgeline list`: jobs, in order of submission.
#include <fmt/format.h>

#include "cli/shared/exit_code.h"
#include "cli/shared/job_text.h"
#include "cli/shared/parse.h"
#include "cli/shared/verb.h"
#include "cli/verbs/verbs.h"
#include "common/print.h"
#include "common/status_macros.h"
#include "net/principal.h"

namespace ridgeline {
namespace {

struct ListOptions {
  std::vector<std::string> states;
  std::string parent;
  std::vector<std::string> selectors;
  bool all = false;
  OutputFormat format = OutputFormat::kTable;
};

absl::StatusOr<v1::ListJobsRequest> MakeRequest(const ListOptions& options) {
  v1::ListJobsRequest request;
  ASSIGN_OR_RETURN(const std::vector<v1::JobState> states, ParseJobStates(options.states));
  for (const v1::JobState state : states) request.add_states(state);
  request.set_parent_id(options.parent);
  if (!options.all) request.set_owner(kOwnJobs);
  request.set_omit_recipes(options.format == OutputFormat::kTable || options.format == OutputFormat::kName);
  ASSIGN_OR_RETURN(const auto selector, ParseSelector(options.selectors));
  request.mutable_selector()->insert(selector.begin(), selector.end());
  return request;
}

absl::Status Print(const std::vector<v1::Job>& jobs, OutputFormat format) {
  if (format == OutputFormat::kName) {
    for (const v1::Job& job : jobs) PrintOut("{}\n", job.id());
  } else if (format == OutputFormat::kTable) {
    if (jobs.empty()) PrintErr("ridgeline: no jobs; `ridgeline submit -f RECIPE` queues one\n");
    if (!jobs.empty()) WriteOut(JobTable(jobs, SystemClock().WallUnixMs(), StyleOf(stdout)));
  } else {
    v1::ListJobsResponse response;
    for (const v1::Job& job : jobs) *response.add_jobs() = job;
    ASSIGN_OR_RETURN(const std::string text, FormatMessage(response, format));
    WriteOut(text);
  }
  return absl::OkStatus();
}

absl::StatusOr<int> RunList(const Session& session, const ListOptions& options) {
  ASSIGN_OR_RETURN(const v1::ListJobsRequest request, MakeRequest(options));
  ASSIGN_OR_RETURN(const Client client, session.Connect());
  ASSIGN_OR_RETURN(const std::vector<v1::Job> jobs, client.ListJobs(request));
  RETURN_IF_ERROR(Print(jobs, options.format));
  return kExitOk;
}

}  // namespace

void AddListVerb(CLI::App* app, Session* session) {
  auto options = std::make_shared<ListOptions>();
  CLI::App* verb = AddVerb(app, "list", "List jobs", "ridgeline list --state running,queued -l study=demo");
  // --state also names the state folder before the verb and in every other verb; a path can only mean that.
  verb->add_option_function<std::vector<std::string>>(
          "--state",
          [session, options](const std::vector<std::string>& values) {
            for (const std::string& value : values) {
              if (value.find('/') != std::string::npos) {
                session->state_dir = value;
              } else {
                options->states.push_back(value);
              }
            }
          },
          "Only jobs in these states; a path names the state folder, as in other verbs")
      ->type_name("STATE,...")
      ->allow_extra_args(false);
  verb->add_option("--parent", options->parent, "Only children of this job")->type_name("JOB");
  verb->add_option("-l,--selector", options->selectors, "Only jobs with these labels; repeatable")
      ->type_name("KEY=VALUE,...")
      ->allow_extra_args(false);
  verb->add_flag("--all", options->all, "Jobs of everybody; without it yours, where the coordinator asks for tokens");
  AddOutputOption(verb, &options->format);
  SetAction(verb, session, options, RunList);
}

}  // namespace ridgeline
