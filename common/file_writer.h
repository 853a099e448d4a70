// SPDX-License-Identifier: Apache-2.0
// A file written piece by piece that gets its name only when it is whole. What a person named for output goes through
// here: see OutputPath for what is replaced and what is not.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/output_path.h"

namespace ridgeline {

// Create, Append..., Close, Publish. One thread at a time. Destroyed before Publish it removes what it wrote.
// RESOURCE_EXHAUSTED when the disk is full.
class FileWriter {
 public:
  // Writes to a temporary file beside `path`, or beside what a link leads to, with the mode and owner of the file that
  // it will replace; creates the folder. A device or FIFO is written to at once. Errors as of ResolveOutputFile.
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

  // REQUIRES: Close() returned OK. Replaces the file in one step; nothing is left to do for a stream.
  absl::Status Publish();

 private:
  FileWriter(OutputPath path, std::string temporary, int fd)
      : path_(std::move(path)), temporary_(std::move(temporary)), fd_(fd) {}

  OutputPath path_;
  std::string temporary_;  // Empty for a stream, and once published.
  int fd_;
  uint64_t size_bytes_ = 0;
};

// All of the above for content that is there already.
absl::Status WriteOutputFile(const std::string& path, std::string_view content);

}  // namespace ridgeline
