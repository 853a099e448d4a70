// SPDX-License-Identifier: Apache-2.0
#include "common/output_path.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <optional>

#include "common/file.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxLinks = 40;  // As many as Linux follows.

// The number of the descriptor that /dev/stdout, /dev/fd/N or /proc/self/fd/N is. Such a link cannot be followed as
// others: its text may name a file that is gone, and the file that it names may be open for appending.
std::optional<int> DescriptorNumber(const fs::path& path) {
  if (path == "/dev/stdout") return STDOUT_FILENO;
  if (path == "/dev/stderr") return STDERR_FILENO;
  const fs::path folder = path.parent_path();
  if (folder != "/dev/fd" && folder != "/proc/self/fd") return std::nullopt;
  const std::string name = path.filename().string();
  int number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return number;
}

// Follows the last part of a path from link to link. The result is no link; it may not exist.
absl::StatusOr<fs::path> FollowLinks(const fs::path& path) {
  fs::path at = path;
  for (int links = 0; links <= kMaxLinks; ++links) {
    if (DescriptorNumber(at).has_value()) return at;
    std::error_code error;
    if (!fs::is_symlink(fs::symlink_status(at, error))) return at;
    const fs::path target = fs::read_symlink(at, error);
    if (error) return ErrnoStatus(error.value(), fmt::format("reading the link {}", at.string()));
    at = at.parent_path() / target;
  }
  return absl::InvalidArgumentError(fmt::format("{} is a symbolic link that leads round", path.string()));
}

absl::Status CheckWritable(const std::string& path) {
  if (::access(path.c_str(), W_OK) == 0) return absl::OkStatus();
  return ErrnoStatus(errno, fmt::format("writing {}", path));
}

}  // namespace

absl::StatusOr<OutputPath> ResolveOutputFile(const std::string& path) {
  if (path.empty()) return absl::InvalidArgumentError("the output file has an empty name");
  ASSIGN_OR_RETURN(const fs::path file, FollowLinks(path));
  OutputPath output{file.string(), DescriptorNumber(file).has_value()};
  struct stat info {};
  if (output.is_stream) return output;
  if (::stat(file.c_str(), &info) != 0) {
    if (errno == ENOENT) return output;
    return ErrnoStatus(errno, fmt::format("writing {}", path));
  }
  if (S_ISDIR(info.st_mode)) return absl::InvalidArgumentError(fmt::format("{} is a folder; name a file", path));
  if (S_ISSOCK(info.st_mode)) {
    return absl::InvalidArgumentError(fmt::format("{} is a socket, which cannot be written to; name a file", path));
  }
  output.is_stream = !S_ISREG(info.st_mode);
  if (!output.is_stream) RETURN_IF_ERROR(CheckWritable(file.string()));
  return output;
}

absl::StatusOr<std::string> ResolveOutputFolder(const std::string& path) {
  if (path.empty()) return absl::InvalidArgumentError("the output folder has an empty name");
  // With a slash at its end a link's path has no last part to follow.
  fs::path without_slash = fs::path(path).lexically_normal();
  if (without_slash.filename().empty() && without_slash.has_relative_path())
    without_slash = without_slash.parent_path();
  ASSIGN_OR_RETURN(const fs::path folder, FollowLinks(without_slash));
  std::error_code error;
  const fs::file_status status = fs::status(folder, error);
  if (fs::exists(status) && !fs::is_directory(status)) {
    return absl::AlreadyExistsError(fmt::format("{} exists and is not a folder; choose another output", path));
  }
  return folder.string();
}

absl::StatusOr<int> OpenOutputStream(const OutputPath& path) {
  const std::optional<int> number = DescriptorNumber(path.path);
  const int fd = number.has_value() ? ::fcntl(*number, F_DUPFD_CLOEXEC, 0)
                                    : ::open(path.path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return ErrnoStatus(errno, fmt::format("opening {}", path.path));
  return fd;
}

}  // namespace ridgeline
