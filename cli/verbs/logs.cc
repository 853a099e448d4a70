// SPDX-License-Identifier: Apache-2.0
// `ridgeline logs JOB`: the lines that its ranks wrote, on standard output.
#include <fmt/format.h>

#include <ctime>
#include <optional>

#include "cli/shared/exit_code.h"
#include "cli/shared/verb.h"
#include "cli/verbs/verbs.h"
#include "common/interrupt.h"
#include "common/number_option.h"
#include "common/print.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kStreamDeadline = std::chrono::minutes(10);

struct LogsOptions {
  std::string job;
  bool follow = false;
  std::optional<int> rank;
};

// One stream, of the job that had the name first: a newer one may take it before the next stream.
absl::Status StreamOnce(const Client& client, v1::StreamLogsRequest* request, Reconnector* reconnector,
                        const std::function<bool(const v1::LogLine&)>& on_line) {
  ASSIGN_OR_RETURN(const v1::Job job, client.GetJob(request->job()));
  reconnector->Worked();
  request->set_job(job.id());
  return client.StreamLogs(*request, kStreamDeadline, on_line);
}

std::string TimeOfDay(int64_t unix_ms) {
  const std::time_t seconds = unix_ms / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  return fmt::format("{}.{:03}Z", text, unix_ms % 1000);
}

// False where there is nobody left to read.
bool PrintLine(const v1::LogLine& line) {
  if (line.skipped() > 0) PrintErr("ridgeline: {} earlier lines are no longer kept\n", line.skipped());
  PrintOut("{} [{}] {}: {}\n", TimeOfDay(line.time_unix_ms()), line.rank(), line.level(), line.text());
  return FlushOut().ok();
}

absl::StatusOr<int> RunLogs(const Session& session, const LogsOptions& options) {
  ASSIGN_OR_RETURN(const Client client, session.Connect());
  CatchInterrupts();
  v1::StreamLogsRequest request;
  request.set_job(options.job);
  request.set_follow(options.follow);
  if (options.rank.has_value()) request.set_rank(*options.rank);
  Reconnector reconnector(client.address(), SystemClock());
  while (true) {
    const auto opened = std::chrono::steady_clock::now();
    int64_t cursor = request.after_cursor();
    const absl::Status status = StreamOnce(client, &request, &reconnector, [&](const v1::LogLine& line) {
      cursor = line.cursor();
      return PrintLine(line);
    });
    request.set_after_cursor(cursor);
    RETURN_IF_ERROR(FlushOut());
    if (status.ok()) return kExitOk;
    if (Interrupted()) return absl::CancelledError(fmt::format("detached; {} goes on", request.job()));
    // A quiet stream that reached its own deadline is simply opened again.
    if (std::chrono::steady_clock::now() - opened >= kStreamDeadline) continue;
    RETURN_IF_ERROR(reconnector.Failed(status));
  }
}

}  // namespace

void AddLogsVerb(CLI::App* app, Session* session) {
  auto options = std::make_shared<LogsOptions>();
  CLI::App* verb = AddVerb(app, "logs", "Print a job's log lines", "ridgeline logs job-1 -f --rank 0");
  verb->add_option("job", options->job, "Id or name")->required()->type_name("JOB");
  verb->add_flag("-f,--follow", options->follow, "Also print the lines to come, until the job ends");
  verb->add_option("--rank", options->rank, "Only this rank")->check(IntegerFrom(0, 65535))->type_name("NUMBER");
  SetAction(verb, session, options, RunLogs);
}

}  // namespace ridgeline
