// SPDX-License-Identifier: Apache-2.0
// The program `ridgeline`: parses the command line, runs one verb, turns its status into message and exit code.
#include <cstdlib>

#include "cli/shared/exit_code.h"
#include "cli/verbs/command_line.h"
#include "common/print.h"

namespace ridgeline {
namespace {

int Report(const absl::StatusOr<int>& result) {
  if (result.ok()) return *result;
  PrintErr("ridgeline: {}\n", std::string(result.status().message()));
  return ExitCodeOf(result.status());
}

int Main(int argc, char** argv) {
  setenv("GRPC_VERBOSITY", "NONE", 0);  // Failures are reported by status, once.
  Session session;
  CLI::App app("", "ridgeline");
  session.root = &app;
  session.arguments.assign(argv + 1, argv + argc);
  DeclareCommandLine(&app, &session);
  if (argc == 1) {
    WriteOut(app.help());
    return kExitOk;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return ReportParseError(app, error);
  }
  return Report(session.action());
}

}  // namespace
}  // namespace ridgeline

int main(int argc, char** argv) {
  ridgeline::OpenStandardStreams();
  return ridgeline::FinishOutput(ridgeline::Main(argc, argv));
}
