// SPDX-License-Identifier: Apache-2.0
// What a verb declares itself with: its options and, when it was typed, an action that it leaves in the session for
// main to run after parsing.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/shared/client.h"
#include "cli/shared/output.h"
#include "net/channel.h"
#include "stack/stack.h"

namespace ridgeline {

struct Session {
  std::string coordinator;             // --coordinator or RIDGELINE_COORDINATOR; may be empty.
  std::string state_dir;               // --state or RIDGELINE_STATE; empty: DefaultStateDir().
  CallerCredentials credentials;       // --tls-ca and so on, or RIDGELINE_TLS_CA and so on; may be empty.
  const CLI::App* root = nullptr;      // For `completion`.
  std::vector<std::string> arguments;  // As typed, for verbs that another program carries out.
  // An exit code, or an error for main to print.
  std::function<absl::StatusOr<int>()> action;

  absl::StatusOr<StackPaths> Paths() const;
  // To the coordinator that was named, else to that of the state folder: without TLS if that has none, and with its
  // admin token if no other is given and this user can read it.
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

}  // namespace ridgeline
