// SPDX-License-Identifier: Apache-2.0
// `ridgeline get JOB`: all about one job, and its children if it is a sweep.
#include <fmt/format.h>

#include "cli/shared/exit_code.h"
#include "cli/shared/job_text.h"
#include "cli/shared/verb.h"
#include "cli/verbs/verbs.h"
#include "common/print.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

struct GetOptions {
  std::string job;
  OutputFormat format = OutputFormat::kTable;
};

absl::Status PrintDetails(const Client& client, const v1::Job& job) {
  const int64_t now_unix_ms = SystemClock().WallUnixMs();
  WriteOut(JobDetails(job, now_unix_ms));
  if (job.child_ids().empty()) return absl::OkStatus();
  v1::ListJobsRequest request;
  request.set_parent_id(job.id());
  request.set_omit_recipes(true);
  ASSIGN_OR_RETURN(const std::vector<v1::Job> children, client.ListJobs(request));
  PrintOut("\n{}{}\n", JobTable(children, now_unix_ms, StyleOf(stdout)), SweepSummary(children));
  return absl::OkStatus();
}

absl::StatusOr<int> RunGet(const Session& session, const GetOptions& options) {
  ASSIGN_OR_RETURN(const Client client, session.Connect());
  ASSIGN_OR_RETURN(const v1::Job job, client.GetJob(options.job));
  if (options.format == OutputFormat::kTable) {
    RETURN_IF_ERROR(PrintDetails(client, job));
  } else if (options.format == OutputFormat::kName) {
    PrintOut("{}\n", job.id());
  } else {
    ASSIGN_OR_RETURN(const std::string text, FormatMessage(job, options.format));
    WriteOut(text);
  }
  return kExitOk;
}

}  // namespace

void AddGetVerb(CLI::App* app, Session* session) {
  auto options = std::make_shared<GetOptions>();
  CLI::App* verb = AddVerb(app, "get", "Show one job: state, attempts, checkpoint", "ridgeline get job-3 -o json");
  verb->add_option("job", options->job, "Id or name")->required()->type_name("JOB");
  AddOutputOption(verb, &options->format);
  SetAction(verb, session, options, RunGet);
}

}  // namespace ridgeline
