// SPDX-License-Identifier: Apache-2.0
// `ridgeline why JOB`: why it does not run, who is ahead of it, and when it should start.
#include <fmt/format.h>

#include "cli/shared/exit_code.h"
#include "cli/shared/queue_text.h"
#include "cli/shared/verb.h"
#include "cli/verbs/verbs.h"
#include "common/print.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

struct WhyOptions {
  std::string job;
  OutputFormat format = OutputFormat::kTable;
};

absl::StatusOr<int> RunWhy(const Session& session, const WhyOptions& options) {
  ASSIGN_OR_RETURN(const Client client, session.Connect());
  ASSIGN_OR_RETURN(v1::Job job, client.GetJob(options.job));
  if (options.format == OutputFormat::kTable) {
    WriteOut(WhyText(job, SystemClock().WallUnixMs()));
  } else if (options.format == OutputFormat::kName) {
    for (const std::string& id : job.wait().ahead()) PrintOut("{}\n", id);
  } else {
    job.clear_recipe();
    ASSIGN_OR_RETURN(const std::string text, FormatMessage(job, options.format));
    WriteOut(text);
  }
  return kExitOk;
}

}  // namespace

void AddWhyVerb(CLI::App* app, Session* session) {
  auto options = std::make_shared<WhyOptions>();
  CLI::App* verb =
      AddVerb(app, "why", "Why a job waits, who is ahead of it (-o name), when it should start", "ridgeline why job-3");
  verb->add_option("job", options->job, "Id or name")->required()->type_name("JOB");
  AddOutputOption(verb, &options->format);
  SetAction(verb, session, options, RunWhy);
}

}  // namespace ridgeline
