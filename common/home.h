// SPDX-License-Identifier: Apache-2.0
// The home folder, and paths that begin with it.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace ridgeline {

// HOME, else that of the user in the system's list. FAILED_PRECONDITION if neither is an absolute path.
absl::StatusOr<std::string> HomeFolder();

// "~" and "~/x" with the home folder in place of the tilde, which a shell expands only at the start of a word; any
// other text, and everything without a home folder, as it is.
std::string ExpandTilde(const std::string& path);

}  // namespace ridgeline
