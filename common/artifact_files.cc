// SPDX-License-Identifier: Apache-2.0
#include "common/artifact_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/file.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

constexpr size_t kMaxPathBytes = 4096;
constexpr size_t kMaxPartBytes = 255;

bool IsControl(char32_t code_point) { return code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0); }

// The name as it may be printed: what is wrong with it may be its characters.
absl::Status Unsafe(std::string_view path, const char* what) {
  std::string shown = ToValidUtf8(path.substr(0, 100));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return IsControl(static_cast<unsigned char>(c)); }, '?');
  return absl::InvalidArgumentError(fmt::format("'{}' is no name of a file in an artifact: {}", shown, what));
}

absl::Status CheckPart(std::string_view path, std::string_view part) {
  if (part.empty()) return Unsafe(path, "a part of it is empty, or it is absolute");
  if (part == "." || part == "..") return Unsafe(path, "'.' and '..' lead elsewhere");
  if (part.size() > kMaxPartBytes) return Unsafe(path, "a part of it is longer than 255 bytes");
  return absl::OkStatus();
}

// openat(2), and a message that tells links and folders from what is missing.
absl::StatusOr<int> OpenPart(int folder, const std::string& part, const std::string& path, int flags) {
  const int fd = ::openat(folder, part.c_str(), flags | O_NOFOLLOW | O_CLOEXEC);
  if (fd >= 0) return fd;
  if (errno == ELOOP || errno == ENOTDIR)
    return Unsafe(path, "a part of it is a symbolic link or no folder where it lies");
  return ErrnoStatus(errno, fmt::format("opening {}", path));
}

}  // namespace

absl::Status CheckRelativePath(std::string_view path) {
  if (path.size() > kMaxPathBytes) return Unsafe(path, "it is longer than 4,096 bytes");
  const auto code_points = Utf8ToCodePoints(path);
  if (!code_points.ok()) return Unsafe(path, "it is not UTF-8");
  if (std::any_of(code_points->begin(), code_points->end(), IsControl))
    return Unsafe(path, "it holds a control character");
  for (size_t begin = 0;;) {
    const size_t end = std::min(path.find('/', begin), path.size());
    RETURN_IF_ERROR(CheckPart(path, path.substr(begin, end - begin)));
    if (end == path.size()) return absl::OkStatus();
    begin = end + 1;
  }
}

absl::Status CheckPlainName(std::string_view name) {
  RETURN_IF_ERROR(CheckRelativePath(name));
  return name.find('/') == std::string_view::npos ? absl::OkStatus() : Unsafe(name, "it holds a '/'");
}

std::string Sha256OfFiles(const std::map<std::string, std::string>& sha256_of) {
  std::string lines;
  for (const auto& [name, sha256] : sha256_of) lines += fmt::format("{}  {}\n", sha256, name);
  return Sha256Hex(lines);
}

absl::StatusOr<int> OpenBelow(const std::string& root, const std::string& path) {
  RETURN_IF_ERROR(CheckRelativePath(path));
  int folder = ::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return ErrnoStatus(errno, fmt::format("opening {}", root));
  size_t begin = 0;
  for (size_t end = path.find('/'); end != std::string::npos; begin = end + 1, end = path.find('/', begin)) {
    const auto next = OpenPart(folder, path.substr(begin, end - begin), path, O_RDONLY | O_DIRECTORY);
    ::close(folder);
    if (!next.ok()) return next.status();
    folder = *next;
  }
  // Without O_NONBLOCK a FIFO would be waited for.
  const auto file = OpenPart(folder, path.substr(begin), path, O_RDONLY | O_NONBLOCK);
  ::close(folder);
  if (!file.ok()) return file.status();
  struct stat info {};
  if (::fstat(*file, &info) == 0 && S_ISREG(info.st_mode)) return *file;
  ::close(*file);
  return Unsafe(path, "what lies there is no plain file");
}

}  // namespace ridgeline
