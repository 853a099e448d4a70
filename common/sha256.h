// SPDX-License-Identifier: Apache-2.0
// SHA-256 of what we store, as 64 lower-case hex digits.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace ridgeline {

std::string Sha256Hex(std::string_view bytes);

// Reads the file in pieces. NOT_FOUND if there is none.
absl::StatusOr<std::string> Sha256HexOfFile(const std::string& path);

}  // namespace ridgeline
