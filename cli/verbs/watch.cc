// SPDX-License-Identifier: Apache-2.0
// `ridgeline watch JOB`: live progress until the job or sweep ends.
#include "cli/shared/follow.h"
#include "cli/shared/verb.h"
#include "cli/verbs/verbs.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

struct WatchOptions {
  std::string job;
  OutputFormat format = OutputFormat::kTable;
};

absl::StatusOr<int> RunWatch(const Session& session, const WatchOptions& options) {
  ASSIGN_OR_RETURN(const Client client, session.Connect());
  return FollowJob(client, options.job, options.format);
}

}  // namespace

void AddWatchVerb(CLI::App* app, Session* session) {
  auto options = std::make_shared<WatchOptions>();
  CLI::App* verb = AddVerb(app, "watch", "Follow a job or sweep live; Ctrl-C detaches", "ridgeline watch job-1");
  verb->add_option("job", options->job, "Id or name")->required()->type_name("JOB");
  AddOutputOption(verb, &options->format);
  SetAction(verb, session, options, RunWatch);
}

}  // namespace ridgeline
