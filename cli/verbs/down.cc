// SPDX-License-Identifier: Apache-2.0
// `ridgeline down`: ends the local stack and leaves no process behind; jobs stay in the journal.
#include <fmt/format.h>
#include <signal.h>

#include <filesystem>

#include "cli/shared/exit_code.h"
#include "cli/shared/verb.h"
#include "cli/verbs/verbs.h"
#include "common/interrupt.h"
#include "common/print.h"
#include "common/status_macros.h"
#include "stack/process.h"

namespace ridgeline {
namespace {

using std::chrono::milliseconds;

constexpr int64_t kStopLimit_ms = 40'000;  // Longer than the supervisor's own limits together.

struct DownOptions {};

bool WaitUntilGone(const StackPaths& paths, int64_t limit_ms) {
  const int64_t end_ms = SystemClock().MonotonicMs() + limit_ms;
  while (SupervisorIsAlive(paths) && SystemClock().MonotonicMs() < end_ms) SleepUnlessInterrupted(milliseconds(50));
  return !SupervisorIsAlive(paths);
}

absl::Status StopSupervisor(const StackPaths& paths) {
  ASSIGN_OR_RETURN(const SupervisorFile supervisor, ReadSupervisorFile(paths));
  if (supervisor.pid <= 1 || std::filesystem::path(ProgramOf(supervisor.pid)).filename() != "ridgeline") {
    return absl::InternalError(fmt::format("{} names process {}, which is not a supervisor; end the one that holds {}",
                                           paths.supervisor_file, supervisor.pid, paths.supervisor_lock));
  }
  kill(supervisor.pid, SIGTERM);
  if (WaitUntilGone(paths, kStopLimit_ms)) return absl::OkStatus();
  kill(supervisor.pid, SIGKILL);
  if (WaitUntilGone(paths, 2'000)) return absl::OkStatus();
  return absl::InternalError(fmt::format("supervisor {} does not end", supervisor.pid));
}

// What a supervisor that was killed could not end.
int EndStrays(const StackPaths& paths) {
  const int strays = SignalByCookie(paths.WorkerCookie(), SIGTERM) + SignalByCookie(paths.CoordinatorCookie(), SIGTERM);
  const auto left = [&] {
    return !FindByCookie(paths.WorkerCookie()).empty() || !FindByCookie(paths.CoordinatorCookie()).empty();
  };
  for (int i = 0; i < 50 && left(); ++i) SleepUnlessInterrupted(milliseconds(100));
  KillByCookie(paths.WorkerCookie());
  KillByCookie(paths.CoordinatorCookie());
  return strays;
}

absl::StatusOr<int> RunDown(const Session& session, const DownOptions&) {
  ASSIGN_OR_RETURN(const StackPaths paths, session.Paths());
  const bool alive = SupervisorIsAlive(paths);
  if (alive) RETURN_IF_ERROR(StopSupervisor(paths));
  const int strays = EndStrays(paths);
  std::error_code ignored;
  std::filesystem::remove(paths.supervisor_file, ignored);
  std::filesystem::remove(paths.coordinator_file, ignored);
  PrintErr("ridgeline: {}\n", alive || strays > 0 ? "stopped" : "not running");
  return kExitOk;
}

}  // namespace

void AddDownVerb(CLI::App* app, Session* session) {
  CLI::App* verb = AddVerb(app, "down", "Stop what `up` started; running jobs go back to the queue", "ridgeline down");
  SetAction(verb, session, std::make_shared<DownOptions>(), RunDown);
}

}  // namespace ridgeline
