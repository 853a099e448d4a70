// SPDX-License-Identifier: Apache-2.0
// How verbs plug into the command line: each Add... declares its options and, when its verb was typed, leaves an
// action in the session for main to run after parsing.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/client.h"
#include "cli/output.h"
#include "cli/stack.h"

namespace ridgeline {

struct Session {
  std::string coordinator;  // --coordinator or RIDGELINE_COORDINATOR; may be empty.
  std::string state_dir = DefaultStateDir();
  const CLI::App* root = nullptr;      // For `completion`.
  std::vector<std::string> arguments;  // As typed, for verbs that another program carries out.
  // An exit code, or an error for main to print.
  std::function<absl::StatusOr<int>()> action;

  StackPaths Paths() const { return StackPaths(state_dir); }
  absl::StatusOr<Client> Connect(CallPolicy policy = {}) const;
};

// A verb with its help line and an example for its --help.
CLI::App* AddVerb(CLI::App* parent, const std::string& name, const std::string& help, const std::string& example);

// -o; `format` is set while parsing.
void AddOutputOption(CLI::App* verb, OutputFormat* format);

// Lets `run(options)` be the session's action when the verb was typed.
template <typename Options>
void SetAction(CLI::App* verb, Session* session, std::shared_ptr<Options> options,
               absl::StatusOr<int> (*run)(const Session&, const Options&)) {
  verb->final_callback(
      [session, options, run] { session->action = [session, options, run] { return run(*session, *options); }; });
}

void AddUpVerb(CLI::App* app, Session* session);
void AddDownVerb(CLI::App* app, Session* session);
void AddStatusVerb(CLI::App* app, Session* session);
void AddSuperviseVerb(CLI::App* app, Session* session);
void AddSubmitVerb(CLI::App* app, Session* session);
void AddValidateVerb(CLI::App* app, Session* session);
void AddExplainVerb(CLI::App* app, Session* session);
void AddPlanVerb(CLI::App* app, Session* session);
void AddListVerb(CLI::App* app, Session* session);
void AddGetVerb(CLI::App* app, Session* session);
void AddWatchVerb(CLI::App* app, Session* session);
void AddLogsVerb(CLI::App* app, Session* session);
void AddWaitVerb(CLI::App* app, Session* session);
void AddCompareVerb(CLI::App* app, Session* session);
void AddCancelVerb(CLI::App* app, Session* session);
void AddRetryVerb(CLI::App* app, Session* session);
void AddDataVerb(CLI::App* app, Session* session);
void AddModelVerb(CLI::App* app, Session* session);
void AddGenerateVerb(CLI::App* app, Session* session);
void AddEvalVerb(CLI::App* app, Session* session);
void AddExportVerb(CLI::App* app, Session* session);
void AddFrontierVerb(CLI::App* app, Session* session);
void AddWorkerVerb(CLI::App* app, Session* session);
void AddDoctorVerb(CLI::App* app, Session* session);
void AddCompletionVerb(CLI::App* app, Session* session);
void AddVersionVerb(CLI::App* app, Session* session);

}  // namespace ridgeline
