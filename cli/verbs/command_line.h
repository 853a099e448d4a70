// SPDX-License-Identifier: Apache-2.0
// The whole command line of `ridgeline`: what comes before the verb, and the verbs.
#pragma once

#include "cli/shared/verb.h"

namespace ridgeline {

// REQUIRES: `session` lives as long as `app`.
void DeclareCommandLine(CLI::App* app, Session* session);

// Prints help if that was asked for, else what is wrong with what was typed. Returns the exit code.
int ReportParseError(const CLI::App& app, const CLI::ParseError& error);

}  // namespace ridgeline
