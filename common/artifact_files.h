// SPDX-License-Identifier: Apache-2.0
// Folders of files that go from one machine to another: which names are safe, and one hash over all files.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ridgeline {

// INVALID_ARGUMENT unless `path` stays below the folder it is joined to and reads alike everywhere: parts of 1 to 255
// bytes between single '/', none of them "." or "..", UTF-8 without control characters; at most 4,096 bytes.
absl::Status CheckRelativePath(std::string_view path);

// The same for one part: no '/'.
absl::Status CheckPlainName(std::string_view name);

// Of the lines that sha256sum prints for the files, in order of their names. `sha256_of` maps names to hex digits.
std::string Sha256OfFiles(const std::map<std::string, std::string>& sha256_of);

// A file descriptor of `path` below the folder `root`, to read: the caller closes it. No part of `path` may be a
// symbolic link, and it must end at a plain file: INVALID_ARGUMENT says which is not. NOT_FOUND if there is none.
// `root` itself may be reached through links.
absl::StatusOr<int> OpenBelow(const std::string& root, const std::string& path);

}  // namespace ridgeline
