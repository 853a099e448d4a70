// SPDX-License-Identifier: Apache-2.0
// `ridgeline supervise`: what `up` starts in the background; hidden from the help.
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "cli/shared/exit_code.h"
#include "cli/shared/verb.h"
#include "cli/verbs/verbs.h"
#include "common/number_option.h"
#include "common/status_macros.h"
#include "stack/supervisor.h"

namespace ridgeline {
namespace {

absl::StatusOr<int> RunSupervise(const Session& session, const SupervisorOptions& options) {
  spdlog::set_default_logger(spdlog::stderr_logger_st("supervisor"));
  SupervisorOptions complete = options;
  ASSIGN_OR_RETURN(const StackPaths paths, session.Paths());
  complete.state_dir = paths.state_dir;
  RETURN_IF_ERROR(Supervisor(complete).Run());
  return kExitOk;
}

}  // namespace

void AddSuperviseVerb(CLI::App* app, Session* session) {
  auto options = std::make_shared<SupervisorOptions>();
  CLI::App* verb = AddVerb(app, "supervise", "Run a coordinator and a worker group until SIGTERM", "");
  verb->group("");
  verb->add_option("--ranks", options->ranks)->check(IntegerFrom(0, kMaxStackRanks));
  verb->add_option("--device", options->device);
  verb->add_option("--hang-timeout", options->hang_timeout_seconds)
      ->check(NumberFrom(kMinHangTimeoutSeconds, kMaxHangTimeoutSeconds));
  verb->add_option("--label", options->labels);
  verb->add_option("--listen", options->listen);
  verb->add_option("--metrics", options->metrics);
  verb->add_flag("--insecure", options->insecure);
  SetAction(verb, session, options, RunSupervise);
}

}  // namespace ridgeline
