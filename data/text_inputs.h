// SPDX-License-Identifier: Apache-2.0
// What people name as text: files, folders, patterns, standard input.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace ridgeline {

inline constexpr char kStandardInput[] = "-";

// The files that `named` stands for, in an order that depends on their names alone: a file is itself, a folder all
// files in it and below whose names do not begin with a dot, a pattern (*, ?, [...]) what it matches. Links are
// followed, and a folder is entered once. "-" stays. INVALID_ARGUMENT or NOT_FOUND names what stands for nothing; what
// is neither file nor folder (a pipe, a device) is refused but as itself.
absl::StatusOr<std::vector<std::string>> ExpandInputs(const std::vector<std::string>& named);

}  // namespace ridgeline
