// SPDX-License-Identifier: Apache-2.0
// Whole files, durably. Errors name the path and what the system said.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ridgeline {

// NOT_FOUND if there is none; RESOURCE_EXHAUSTED if it is larger than max_bytes.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes = size_t{1} << 34);

// Replaces `path` in one step: readers see the old content or the new, also after a crash.
// The folder is created if missing. RESOURCE_EXHAUSTED when the disk is full; the old file then stays.
absl::Status WriteFileAtomically(const std::string& path, std::string_view content);

// Creates the folder and its parents.
absl::Status MakeDirectories(const std::string& path);

// Flushes a folder's entries (created and renamed files) to the disk.
absl::Status SyncDirectory(const std::string& path);

// The error of the last system call, as a status that names what was tried.
absl::Status ErrnoStatus(int error_number, std::string_view what);

// Whether the disk, or the quota on it, is full: what waits for space and is tried again. Other RESOURCE_EXHAUSTED, as
// lack of memory, would only fail again. The mark is lost with a status that is made anew; MarkNoRoom sets it.
bool IsNoRoom(const absl::Status& status);
absl::Status MarkNoRoom(absl::Status status);

}  // namespace ridgeline
