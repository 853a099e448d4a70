// SPDX-License-Identifier: Apache-2.0
// Folders that worker groups left in their work folder, copied from there and held to their hashes.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace ridgeline {

// ALREADY_EXISTS unless `out` can become a new folder: nothing that lies there is replaced.
absl::Status CheckIsFree(const std::string& out);

// Whether this machine sees a group's work folder; NOT_FOUND with the remedy.
absl::Status CheckReachable(const std::string& work_dir);

struct PulledFile {
  std::string name;  // Below the folder.
  std::string sha256;
};

// Copies files of `work_dir`/`path`, following no links, to the folder `out`, which appears when all of it is there and
// flushed. DATA_LOSS for a file of another hash. REQUIRES: names and path are relative (CheckRelativePath).
absl::Status PullFolder(const std::string& work_dir, const std::string& path, const std::vector<PulledFile>& files,
                        const std::string& out);

}  // namespace ridgeline
