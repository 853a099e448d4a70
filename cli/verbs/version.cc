// SPDX-License-Identifier: Apache-2.0
// `ridgeline version`
#include <fmt/format.h>

#include "cli/shared/exit_code.h"
#include "cli/shared/verb.h"
#include "cli/verbs/verbs.h"
#include "common/print.h"

namespace ridgeline {
namespace {

struct VersionOptions {};

absl::StatusOr<int> RunVersion(const Session&, const VersionOptions&) {
  PrintOut("ridgeline {}\n", RIDGELINE_VERSION);
  return kExitOk;
}

}  // namespace

void AddVersionVerb(CLI::App* app, Session* session) {
  CLI::App* verb = AddVerb(app, "version", "Print the version", "ridgeline version");
  SetAction(verb, session, std::make_shared<VersionOptions>(), RunVersion);
}

}  // namespace ridgeline
