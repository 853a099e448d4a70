// SPDX-License-Identifier: Apache-2.0
// What all verbs share when they declare themselves.
#include "cli/shared/verb.h"

#include <fmt/format.h>
#include <unistd.h>

#include "common/home.h"
#include "common/status_macros.h"

namespace ridgeline {

absl::StatusOr<StackPaths> Session::Paths() const {
  if (!state_dir.empty()) return StackPaths(ExpandTilde(state_dir));
  ASSIGN_OR_RETURN(const std::string folder, DefaultStateDir());
  return StackPaths(folder);
}

absl::StatusOr<Client> Session::Connect(CallPolicy policy) const {
  CallerCredentials caller = WithEnvironment(credentials);
  std::string address = coordinator;
  std::string entrance = address;  // What is called; `address` is for people.
  if (address.empty()) {
    ASSIGN_OR_RETURN(const StackPaths paths, Paths());
    ASSIGN_OR_RETURN(const CoordinatorFile file, FindCoordinator(paths));
    address = file.address;
    const std::string socket = UsableSocket(paths);
    entrance = socket.empty() ? address : "unix:" + socket;
    if (!file.has_tls) caller.tls_ca = caller.tls_cert = caller.tls_key = "";
    const bool has_token = !caller.token_file.empty() || !caller.token.empty();
    if (!has_token && access(paths.admin_token.c_str(), R_OK) == 0) caller.token_file = paths.admin_token;
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::Channel> channel, MakeChannel(entrance, caller));
  return Client(address, channel, policy);
}

CLI::App* AddVerb(CLI::App* parent, const std::string& name, const std::string& help, const std::string& example) {
  CLI::App* verb = parent->add_subcommand(name, help);
  std::string footer;
  if (!example.empty()) footer += fmt::format("Example:\n  {}\n", example);
  footer += "Also --coordinator HOST:PORT and --state DIR; see `ridgeline --help`.";
  verb->footer("\n" + footer);
  return verb;
}

void AddOutputOption(CLI::App* verb, OutputFormat* format) {
  verb->add_option_function<std::string>(
          "-o,--output",
          [format](const std::string& text) {
            const absl::StatusOr<OutputFormat> parsed = ParseOutputFormat(text);
            if (!parsed.ok()) throw CLI::ValidationError(std::string(parsed.status().message()));
            *format = *parsed;
          },
          "table (default), json, yaml or name")
      ->type_name("FORMAT");
}

}  // namespace ridgeline
