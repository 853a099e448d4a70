// SPDX-License-Identifier: Apache-2.0
// Packages from the index that the user's pip is configured for.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace ridgeline {

// Runs `python3 -m pip download --no-deps` for one pinned requirement; the wheel is then in `folder`. Blocks.
// FAILED_PRECONDITION if python3 or pip is missing; UNAVAILABLE with pip's own last words if it fails.
absl::Status PipDownload(std::string_view requirement, const std::string& folder);

}  // namespace ridgeline
