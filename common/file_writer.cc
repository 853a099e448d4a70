// SPDX-License-Identifier: Apache-2.0
#include "common/file_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
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

// As far as we may: only root can give a file to another user.
void TakeOverModeAndOwner(int fd, const std::string& from) {
  struct stat old {};
  if (::stat(from.c_str(), &old) != 0) return;
  if (::fchown(fd, old.st_uid, old.st_gid) != 0) return;
  ::fchmod(fd, old.st_mode & 07777);
}

// Pipes, terminals and many devices have nothing to flush.
bool CannotFlush(int error_number) {
  return error_number == EINVAL || error_number == EROFS || error_number == ENOTSUP;
}

}  // namespace

absl::StatusOr<FileWriter> FileWriter::Create(const std::string& path) {
  ASSIGN_OR_RETURN(OutputPath output, ResolveOutputFile(path));
  if (output.is_stream) {
    ASSIGN_OR_RETURN(const int fd, OpenOutputStream(output));
    return FileWriter(std::move(output), "", fd);
  }
  RETURN_IF_ERROR(MakeDirectories(FolderOf(output.path)));
  std::string temporary = fmt::format("{}.tmp.{}", output.path, ::getpid());
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return ErrnoStatus(errno, fmt::format("creating {}", temporary));
  TakeOverModeAndOwner(fd, output.path);
  return FileWriter(std::move(output), std::move(temporary), fd);
}

FileWriter::~FileWriter() {
  if (fd_ >= 0) ::close(fd_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

absl::Status FileWriter::Append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(errno, fmt::format("writing {}", path_.path));
    bytes.remove_prefix(static_cast<size_t>(written));
    size_bytes_ += static_cast<uint64_t>(written);
  }
  return absl::OkStatus();
}

absl::Status FileWriter::Close() {
  const bool flushed = ::fsync(fd_) == 0 || (path_.is_stream && CannotFlush(errno));
  if (!flushed) return ErrnoStatus(errno, fmt::format("flushing {}", path_.path));
  if (::close(std::exchange(fd_, -1)) != 0) return ErrnoStatus(errno, fmt::format("closing {}", path_.path));
  return absl::OkStatus();
}

absl::Status FileWriter::Publish() {
  if (path_.is_stream) return absl::OkStatus();
  if (::rename(temporary_.c_str(), path_.path.c_str()) != 0) {
    return ErrnoStatus(errno, fmt::format("replacing {}", path_.path));
  }
  temporary_.clear();
  return SyncDirectory(FolderOf(path_.path));
}

absl::Status WriteOutputFile(const std::string& path, std::string_view content) {
  ASSIGN_OR_RETURN(FileWriter file, FileWriter::Create(path));
  RETURN_IF_ERROR(file.Append(content));
  RETURN_IF_ERROR(file.Close());
  return file.Publish();
}

}  // namespace ridgeline
