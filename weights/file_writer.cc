// SPDX-License-Identifier: Apache-2.0
#include "weights/file_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "common/file.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

std::string FolderOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

}  // namespace

absl::StatusOr<FileWriter> FileWriter::Create(const std::string& path) {
  RETURN_IF_ERROR(MakeDirectories(FolderOf(path)));
  std::string temporary = fmt::format("{}.tmp.{}", path, ::getpid());
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return ErrnoStatus(errno, fmt::format("creating {}", temporary));
  return FileWriter(path, std::move(temporary), fd);
}

FileWriter::~FileWriter() {
  if (fd_ >= 0) ::close(fd_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

absl::Status FileWriter::Append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(errno, fmt::format("writing {}", path_));
    bytes.remove_prefix(static_cast<size_t>(written));
    size_bytes_ += static_cast<uint64_t>(written);
  }
  return absl::OkStatus();
}

absl::Status FileWriter::Close() {
  if (::fsync(fd_) != 0) return ErrnoStatus(errno, fmt::format("flushing {}", path_));
  if (::close(std::exchange(fd_, -1)) != 0) return ErrnoStatus(errno, fmt::format("closing {}", path_));
  return absl::OkStatus();
}

absl::Status FileWriter::Publish() {
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) return ErrnoStatus(errno, fmt::format("replacing {}", path_));
  temporary_.clear();
  return SyncDirectory(FolderOf(path_));
}

}  // namespace ridgeline
