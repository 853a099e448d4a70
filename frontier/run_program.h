// SPDX-License-Identifier: Apache-2.0
// Runs gnuplot and the font list: another program, without a shell, to its end.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace ridgeline {

struct ProgramOutput {
  int exit_code = -1;  // -1: ended by a signal.
  std::string text;    // Standard output and error together.
};

// `arguments[0]` is looked for on PATH; it runs in `folder`. NOT_FOUND if there is no such program.
absl::StatusOr<ProgramOutput> RunProgram(std::vector<std::string> arguments, const std::string& folder);

}  // namespace ridgeline
