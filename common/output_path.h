// SPDX-License-Identifier: Apache-2.0
// Where a path that a person names for output leads. A plain file may be replaced; what only looks like one (a symbolic
// link, a device, a FIFO) must stay what it is.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace ridgeline {

struct OutputPath {
  // Of a plain file, also one that is not there yet; links are followed.
  std::string path;
  // A device or FIFO (or an open descriptor: /dev/stdout): written to as it is, never replaced.
  bool is_stream = false;
};

// INVALID_ARGUMENT for a socket, a folder and links that lead round; PERMISSION_DENIED for a file that may not be
// written to.
absl::StatusOr<OutputPath> ResolveOutputFile(const std::string& path);

// The folder that `path` stands for, links followed; it need not be there yet. ALREADY_EXISTS for anything else.
absl::StatusOr<std::string> ResolveOutputFolder(const std::string& path);

// Opens a stream for writing; a FIFO without a reader is waited for. REQUIRES: path.is_stream.
absl::StatusOr<int> OpenOutputStream(const OutputPath& path);

}  // namespace ridgeline
