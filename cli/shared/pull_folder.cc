// SPDX-License-Identifier: Apache-2.0
#include "cli/shared/pull_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "common/artifact_files.h"
#include "common/file.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

class OpenFile {
 public:
  explicit OpenFile(int fd) : fd_(fd) {}
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

absl::Status CopyBytes(int from, int to, const std::string& name) {
  std::string buffer(size_t{1} << 20, '\0');
  for (;;) {
    const ssize_t count = ::read(from, buffer.data(), buffer.size());
    if (count == 0) break;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ErrnoStatus(errno, fmt::format("reading {}", name));
    for (ssize_t done = 0; done < count;) {
      const ssize_t written = ::write(to, buffer.data() + done, static_cast<size_t>(count - done));
      if (written < 0 && errno != EINTR) return ErrnoStatus(errno, fmt::format("writing {}", name));
      done += std::max<ssize_t>(written, 0);
    }
  }
  return ::fsync(to) == 0 ? absl::OkStatus() : ErrnoStatus(errno, fmt::format("flushing {}", name));
}

// What lies on the disk at the end is what the worker wrote.
absl::Status PullFile(const std::string& work_dir, const std::string& path, const PulledFile& file,
                      const fs::path& folder) {
  const fs::path target = folder / file.name;
  RETURN_IF_ERROR(MakeDirectories(target.parent_path().string()));
  ASSIGN_OR_RETURN(const int fd, OpenBelow(work_dir, path + "/" + file.name));
  const OpenFile from(fd);
  const OpenFile to(::open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (to.get() < 0) return ErrnoStatus(errno, fmt::format("creating {}", target.string()));
  RETURN_IF_ERROR(CopyBytes(from.get(), to.get(), file.name));
  ASSIGN_OR_RETURN(const std::string sha256, Sha256HexOfFile(target.string()));
  if (sha256 == file.sha256) return absl::OkStatus();
  return absl::DataLossError(fmt::format("{}/{}/{} is not what the worker wrote: its SHA-256 is {}, and was {}",
                                         work_dir, path, file.name, sha256, file.sha256));
}

absl::Status PullFiles(const std::string& work_dir, const std::string& path, const std::vector<PulledFile>& files,
                       const fs::path& folder) {
  RETURN_IF_ERROR(MakeDirectories(folder.string()));
  for (const PulledFile& file : files) RETURN_IF_ERROR(PullFile(work_dir, path, file, folder));
  return SyncDirectory(folder.string());
}

}  // namespace

absl::Status CheckIsFree(const std::string& out) {
  if (out.empty()) return absl::InvalidArgumentError("the name of the folder to write is empty");
  std::error_code ignored;
  const fs::file_status there = fs::symlink_status(out, ignored);
  if (!fs::exists(there) || (fs::is_directory(there) && fs::is_empty(out, ignored))) return absl::OkStatus();
  return absl::AlreadyExistsError(fmt::format("{} is there already: name another folder, or remove it", out));
}

absl::Status CheckReachable(const std::string& work_dir) {
  std::error_code ignored;
  if (fs::is_directory(work_dir, ignored)) return absl::OkStatus();
  return absl::NotFoundError(
      fmt::format("the work folder {} of the worker group cannot be reached from this machine; run this where it can, "
                  "or mount it and say where with --work-dir",
                  work_dir));
}

absl::Status PullFolder(const std::string& work_dir, const std::string& path, const std::vector<PulledFile>& files,
                        const std::string& out) {
  fs::path target = fs::absolute(out).lexically_normal();
  if (!target.has_filename()) target = target.parent_path();  // It was written with a slash behind it.
  // Nobody else's, be it of another pull at the same time.
  const fs::path partial = fmt::format("{}.partial-{}", target.string(), ::getpid());
  std::error_code error;
  if (fs::exists(fs::symlink_status(partial, error)))
    return absl::AlreadyExistsError(fmt::format("{} is in the way: remove it", partial.string()));
  absl::Status pulled = PullFiles(work_dir, path, files, partial);
  if (pulled.ok()) {
    fs::rename(partial, target, error);  // An empty folder may be there, and no more.
    if (error == std::errc::directory_not_empty || error == std::errc::file_exists)
      pulled = absl::AlreadyExistsError(fmt::format("{} has appeared meanwhile: name another folder", out));
    else if (error)
      pulled = ErrnoStatus(error.value(), fmt::format("naming {}", out));
  }
  if (!pulled.ok()) fs::remove_all(partial, error);
  return pulled;
}

}  // namespace ridgeline
