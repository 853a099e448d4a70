// SPDX-License-Identifier: Apache-2.0
// A file's bytes in memory without reading them: pages come from the disk when they are touched.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"

namespace ridgeline {

// Read-only; unmapped when it is destroyed. Any thread may read. The file must not be shortened meanwhile: touching
// a page that is gone ends the process (SIGBUS). Replacing the file by a rename is safe.
class MappedFile {
 public:
  // NOT_FOUND, PERMISSION_DENIED; INVALID_ARGUMENT for folders, pipes and devices.
  static absl::StatusOr<MappedFile> Open(const std::string& path);

  MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~MappedFile();

  std::string_view bytes() const { return bytes_; }

 private:
  explicit MappedFile(std::string_view bytes) : bytes_(bytes) {}
  std::string_view bytes_;
};

}  // namespace ridgeline
