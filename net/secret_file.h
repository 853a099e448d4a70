// SPDX-License-Identifier: Apache-2.0
// Files with tokens and private keys: written for their owner alone, read only if others cannot read them.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ridgeline {

// PERMISSION_DENIED with the remedy if the file can be read by others than owner and group.
absl::StatusOr<std::string> ReadSecretFile(const std::string& path, size_t max_bytes);

// Replaces `path` in one step by a file of mode 0600. The folder must be there.
absl::Status WriteSecretFile(const std::string& path, std::string_view content);

}  // namespace ridgeline
