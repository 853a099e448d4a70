// SPDX-License-Identifier: Apache-2.0
// `ridgeline wait JOB --for succeeded`: blocks until the job has ended; says how by its exit code.
#include <fmt/format.h>

#include "cli/shared/exit_code.h"
#include "cli/shared/job_text.h"
#include "cli/shared/parse.h"
#include "cli/shared/verb.h"
#include "cli/verbs/verbs.h"
#include "common/interrupt.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kStreamDeadline = std::chrono::minutes(10);

struct WaitOptions {
  std::string job;
  std::string condition = "succeeded";
  std::string timeout;
};

int ExitCodeFor(const v1::Job& job, const WaitOptions& options) {
  return options.condition == "terminal" ? static_cast<int>(kExitOk) : ExitCodeOf(job.state());
}

absl::StatusOr<int> WaitUntilTerminal(const Client& client, const WaitOptions& options, milliseconds timeout) {
  const int64_t end_ms = SystemClock().MonotonicMs() + timeout.count();
  Reconnector reconnector(client.address(), SystemClock());
  v1::Job last;
  std::string job_id = options.job;
  while (true) {
    const milliseconds left(end_ms - SystemClock().MonotonicMs());
    if (left.count() <= 0) break;
    const absl::Status status = client.WatchJob(job_id, std::min(left, kStreamDeadline), [&](const v1::Job& job) {
      reconnector.Worked();
      last = job;
      job_id = job.id();  // For the next stream: a newer job may take the name.
      return !IsTerminal(job.state());
    });
    if (IsTerminal(last.state())) {
      fmt::print("{} {}\n", last.id(), StateName(last.state()));
      if (last.state() != v1::SUCCEEDED) fmt::print(stderr, "ridgeline: {}: {}\n", last.id(), last.reason());
      return ExitCodeFor(last, options);
    }
    if (Interrupted()) return absl::CancelledError(fmt::format("detached; {} goes on", job_id));
    // A stream that reached its own deadline is simply opened again.
    const bool own_deadline = status.code() == absl::StatusCode::kDeadlineExceeded && !last.id().empty();
    if (!status.ok() && !own_deadline) RETURN_IF_ERROR(reconnector.Failed(status));
    if (status.ok()) SleepUnlessInterrupted(milliseconds(200));
  }
  fmt::print(stderr, "ridgeline: {} is {} after {}\n", job_id, StateName(last.state()), options.timeout);
  return kExitTimeout;
}

absl::StatusOr<int> RunWait(const Session& session, const WaitOptions& options) {
  milliseconds timeout = std::chrono::hours(24 * 365);
  if (!options.timeout.empty()) {
    ASSIGN_OR_RETURN(timeout, ParseDuration(options.timeout));
  }
  ASSIGN_OR_RETURN(const Client client, session.Connect());
  CatchInterrupts();
  return WaitUntilTerminal(client, options, timeout);
}

}  // namespace

void AddWaitVerb(CLI::App* app, Session* session) {
  auto options = std::make_shared<WaitOptions>();
  CLI::App* verb = AddVerb(app, "wait", "Block until a job has ended; the exit code says how",
                           "ridgeline wait job-1 --for succeeded --timeout 30m");
  verb->add_option("job", options->job, "Id or name")->required()->type_name("JOB");
  verb->add_option("--for", options->condition,
                   "succeeded (default): 0 if it succeeded, 10 failed, 11 cancelled; terminal: 0 however it ended")
      ->check(CLI::IsMember({"succeeded", "terminal"}))
      ->type_name("CONDITION");
  verb->add_option("--timeout", options->timeout, "Give up after this long (exit 12); for instance 90s, 10m, 2h")
      ->type_name("DURATION");
  SetAction(verb, session, options, RunWait);
}

}  // namespace ridgeline
