// SPDX-License-Identifier: Apache-2.0
#include "common/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "absl/strings/cord.h"
#include "common/failpoint.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

constexpr char kNoRoom[] = "ridgeline/no-room";

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() { Close(); }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }
  int Close() {
    int result = fd_ >= 0 ? ::close(fd_) : 0;
    fd_ = -1;
    return result;
  }

 private:
  int fd_;
};

absl::Status WriteAll(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(errno, fmt::format("writing {}", path));
    content.remove_prefix(static_cast<size_t>(written));
  }
  if (::fsync(fd) != 0) return ErrnoStatus(errno, fmt::format("flushing {}", path));
  return absl::OkStatus();
}

}  // namespace

bool IsNoRoom(const absl::Status& status) { return status.GetPayload(kNoRoom).has_value(); }

absl::Status MarkNoRoom(absl::Status status) {
  status.SetPayload(kNoRoom, absl::Cord());
  return status;
}

absl::Status ErrnoStatus(int error_number, std::string_view what) {
  std::string message = fmt::format("{}: {}", what, std::strerror(error_number));
  switch (error_number) {
    case ENOENT:
      return absl::NotFoundError(message);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(message);
    case ENOSPC:
    case EDQUOT:
      return MarkNoRoom(absl::ResourceExhaustedError(message));
    case EEXIST:
      return absl::AlreadyExistsError(message);
    default:
      return absl::InternalError(message);
  }
}

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return ErrnoStatus(errno, fmt::format("opening {}", path));
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return ErrnoStatus(errno, fmt::format("reading {}", path));
  if (S_ISDIR(info.st_mode)) return absl::InvalidArgumentError(fmt::format("{} is a folder, not a file", path));
  std::string content;
  char buffer[1 << 16];
  for (;;) {
    ssize_t count = ::read(file.get(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ErrnoStatus(errno, fmt::format("reading {}", path));
    if (count == 0) return content;
    content.append(buffer, static_cast<size_t>(count));
    if (content.size() > max_bytes)
      return absl::ResourceExhaustedError(fmt::format("{} is larger than {} bytes", path, max_bytes));
  }
}

absl::Status WriteFileAtomically(const std::string& path, std::string_view content) {
  std::string folder = std::filesystem::path(path).parent_path().string();
  if (folder.empty()) folder = ".";
  RETURN_IF_ERROR(MakeDirectories(folder));
  std::string temporary = fmt::format("{}.tmp.{}", path, ::getpid());
  {
    FileDescriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (file.get() < 0) return ErrnoStatus(errno, fmt::format("creating {}", temporary));
    absl::Status status = WriteAll(file.get(), content, path);
    if (!status.ok()) {
      ::unlink(temporary.c_str());
      return status;
    }
  }
  Failpoint("file.before_rename");
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    int error_number = errno;
    ::unlink(temporary.c_str());
    return ErrnoStatus(error_number, fmt::format("replacing {}", path));
  }
  return SyncDirectory(folder);
}

absl::Status MakeDirectories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return ErrnoStatus(error.value(), fmt::format("creating folder {}", path));
  return absl::OkStatus();
}

absl::Status SyncDirectory(const std::string& path) {
  FileDescriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0) return ErrnoStatus(errno, fmt::format("opening folder {}", path));
  if (::fsync(folder.get()) != 0) return ErrnoStatus(errno, fmt::format("flushing folder {}", path));
  return absl::OkStatus();
}

}  // namespace ridgeline
