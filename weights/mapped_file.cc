// SPDX-License-Identifier: Apache-2.0
#include "weights/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "common/file.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

absl::StatusOr<std::string_view> Map(int fd, const std::string& path) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return ErrnoStatus(errno, fmt::format("reading {}", path));
  if (!S_ISREG(info.st_mode)) return absl::InvalidArgumentError(fmt::format("{} is not a regular file", path));
  const size_t size_bytes = static_cast<size_t>(info.st_size);
  if (size_bytes == 0) return std::string_view();  // mmap refuses to map nothing.
  void* start = ::mmap(nullptr, size_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
  if (start == MAP_FAILED) return ErrnoStatus(errno, fmt::format("mapping {}", path));
  return std::string_view(static_cast<const char*>(start), size_bytes);
}

}  // namespace

absl::StatusOr<MappedFile> MappedFile::Open(const std::string& path) {
  // O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return ErrnoStatus(errno, fmt::format("opening {}", path));
  absl::StatusOr<std::string_view> bytes = Map(fd, path);
  ::close(fd);  // The mapping holds the file.
  if (!bytes.ok()) return bytes.status();
  return MappedFile(*bytes);
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

}  // namespace ridgeline
