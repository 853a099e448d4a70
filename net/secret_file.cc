// SPDX-License-Identifier: Apache-2.0
#include "net/secret_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "common/file.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

absl::Status WriteAll(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t written = write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(errno, fmt::format("writing {}", path));
    content.remove_prefix(static_cast<size_t>(written));
  }
  return fsync(fd) == 0 ? absl::OkStatus() : ErrnoStatus(errno, fmt::format("flushing {}", path));
}

}  // namespace

absl::StatusOr<std::string> ReadSecretFile(const std::string& path, size_t max_bytes) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return ErrnoStatus(errno, fmt::format("reading {}", path));
  // Of what is not a plain file, a pipe for instance, the mode says nothing.
  if (S_ISREG(info.st_mode) && (info.st_mode & S_IRWXO) != 0) {
    return absl::PermissionDeniedError(
        fmt::format("{} holds a secret and is open to everybody on this machine; `chmod 600 {}`", path, path));
  }
  return ReadFile(path, max_bytes);
}

absl::Status WriteSecretFile(const std::string& path, std::string_view content) {
  const std::string temporary = fmt::format("{}.tmp.{}", path, getpid());
  unlink(temporary.c_str());  // Of a process that had this number and crashed.
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return ErrnoStatus(errno, fmt::format("creating {}", temporary));
  absl::Status status = WriteAll(fd, content, path);
  close(fd);
  if (status.ok() && rename(temporary.c_str(), path.c_str()) != 0)
    status = ErrnoStatus(errno, fmt::format("replacing {}", path));
  if (!status.ok()) {
    unlink(temporary.c_str());
    return status;
  }
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return SyncDirectory(folder.empty() ? "." : folder);
}

}  // namespace ridgeline
