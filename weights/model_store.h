// SPDX-License-Identifier: Apache-2.0
// Where imported models live, and what a name like "gemma3-270m" stands for.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace ridgeline {

// $RIDGELINE_MODELS, else $XDG_DATA_HOME/ridgeline/models, else ~/.local/share/ridgeline/models. FAILED_PRECONDITION
// with the remedy where there is no home folder.
absl::StatusOr<std::string> ModelStoreDir();

// A file or folder as it is, "~" expanded; else the folder of that name in the store. NOT_FOUND names both places and
// the remedy.
absl::StatusOr<std::string> ResolveModelPath(const std::string& name_or_path);

}  // namespace ridgeline
