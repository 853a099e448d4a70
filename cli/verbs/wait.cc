// SPDX-License-Identifier: Apache-2.0
// `ridgeline wait JOB --for succeeded`: blocks until the job has ended; says how by its exit code.
#include <fmt/format.h>

#include "cli/shared/exit_code.h"
#include "cli/shared/job_text.h"
#include "cli/shared/parse.h"
#include "cli/shared/verb.h"
#include "cli/verbs/verbs.h"
#include "common/interrupt.h"
#include "common/number_option.h"
#include "common/print.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kWatchDeadline = std::chrono::minutes(10);

struct WaitOptions {
  std::string job;
  std::string condition = "succeeded";
  std::string timeout;
};

int ExitCodeFor(const v1::Job& job, const WaitOptions& options) {
  return options.condition == "terminal" ? static_cast<int>(kExitOk) : ExitCodeOf(job.state());
}

int TellEnd(const v1::Job& job, const WaitOptions& options) {
  PrintOut("{} {}\n", job.id(), StateName(job.state()));
  if (job.state() != v1::SUCCEEDED) PrintErr("ridgeline: {}: {}\n", job.id(), job.reason());
  if (job.state() == v1::FAILED && !RemedyText(job).empty()) PrintErr("ridgeline: remedy: {}\n", RemedyText(job));
  return ExitCodeFor(job, options);
}

// Taken however little time there is to wait: a job that has ended needs none.
absl::StatusOr<v1::Job> Look(const Client& client, const std::string& name, Reconnector* reconnector) {
  while (true) {
    absl::StatusOr<v1::Job> job = client.GetJob(name);
    if (job.ok()) reconnector->Worked();
    if (job.ok()) return job;
    RETURN_IF_ERROR(reconnector->Failed(job.status()));
  }
}

absl::StatusOr<int> WaitUntilTerminal(const Client& client, const WaitOptions& options, milliseconds timeout) {
  const int64_t end_ms = SystemClock().MonotonicMs() + timeout.count();
  Reconnector reconnector(client.address(), SystemClock());
  ASSIGN_OR_RETURN(v1::Job last, Look(client, options.job, &reconnector));
  const std::string job_id = last.id();  // From here on: a newer job may take the name.
  while (!IsTerminal(last.state())) {
    const milliseconds left(end_ms - SystemClock().MonotonicMs());
    if (left.count() <= 0) {
      PrintErr("ridgeline: {} is {} after {}\n", job_id, StateName(last.state()), options.timeout);
      return kExitTimeout;
    }
    const absl::Status status = client.WatchJob(job_id, std::min(left, kWatchDeadline), [&](const v1::Job& job) {
      reconnector.Worked();
      last = job;
      return !IsTerminal(job.state());
    });
    if (IsTerminal(last.state())) break;
    if (Interrupted()) return absl::CancelledError(fmt::format("detached; {} goes on", job_id));
    // A stream that reached its own deadline is simply opened again.
    const bool own_deadline = status.code() == absl::StatusCode::kDeadlineExceeded;
    if (!status.ok() && !own_deadline) RETURN_IF_ERROR(reconnector.Failed(status));
    if (status.ok()) SleepUnlessInterrupted(milliseconds(200));
  }
  return TellEnd(last, options);
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
      ->check(CLI::Validator([](std::string& text) { return std::string(ParseDuration(text).status().message()); }, "",
                             kNumberCheck))
      ->type_name("DURATION");
  SetAction(verb, session, options, RunWait);
}

}  // namespace ridgeline
