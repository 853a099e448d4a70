// SPDX-License-Identifier: Apache-2.0
// A file written piece by piece that gets its name only when it is whole. WriteFileAtomically is for what fits a
// string.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ridgeline {

// Create, Append..., Close, Publish. One thread at a time. Destroyed before Publish it removes what it wrote.
// RESOURCE_EXHAUSTED when the disk is full.
class FileWriter {
 public:
  // Writes to a temporary file beside `path`; creates the folder.
  static absl::StatusOr<FileWriter> Create(const std::string& path);

  FileWriter(FileWriter&& other) noexcept
      : path_(std::move(other.path_)),
        temporary_(std::exchange(other.temporary_, {})),
        fd_(std::exchange(other.fd_, -1)),
        size_bytes_(other.size_bytes_) {}
  FileWriter& operator=(FileWriter&&) = delete;
  ~FileWriter();

  absl::Status Append(std::string_view bytes);
  uint64_t size_bytes() const { return size_bytes_; }

  // Flushes to the disk and closes. Several files can be closed before the first is published.
  absl::Status Close();

  // REQUIRES: Close() returned OK. Replaces `path` in one step.
  absl::Status Publish();

 private:
  FileWriter(std::string path, std::string temporary, int fd)
      : path_(std::move(path)), temporary_(std::move(temporary)), fd_(fd) {}

  std::string path_;
  std::string temporary_;  // Empty once published
  int fd_;
  uint64_t size_bytes_ = 0;
};

}  // namespace ridgeline
