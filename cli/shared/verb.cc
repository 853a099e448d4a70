// SPDX-License-Identifier: Apache-2.0
// What all verbs share when they declare themselves.
#include "cli/shared/verb.h"

#include <fmt/format.h>

#include "common/home.h"
#include "common/status_macros.h"

namespace ridgeline {

absl::StatusOr<StackPaths> Session::Paths() const {
  if (!state_dir.empty()) return StackPaths(ExpandTilde(state_dir));
  ASSIGN_OR_RETURN(const std::string folder, DefaultStateDir());
  return StackPaths(folder);
}

absl::StatusOr<Client> Session::Connect(CallPolicy policy) const {
  if (!coordinator.empty()) return Client(coordinator, policy);
  ASSIGN_OR_RETURN(const StackPaths paths, Paths());
  ASSIGN_OR_RETURN(const std::string address, ResolveAddress("", paths));
  return Client(address, policy, UsableSocket(paths));
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
