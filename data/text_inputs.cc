// SPDX-License-Identifier: Apache-2.0
#include "data/text_inputs.h"

#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "common/status_macros.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

class Expansion {
 public:
  absl::Status Add(const std::string& named) {
    std::error_code error;
    const fs::file_status status = fs::status(named, error);
    if (named == kStandardInput || (fs::exists(status) && !fs::is_directory(status))) {
      files_.push_back(named);
      return absl::OkStatus();
    }
    if (fs::is_directory(status)) return AddFolderNamed(named);
    if (named.find_first_of("*?[") != std::string::npos) return AddPattern(named);
    return absl::NotFoundError(fmt::format("{}: there is no such file or folder", named));
  }
  std::vector<std::string> Take() { return std::move(files_); }

 private:
  absl::Status AddFolderNamed(const std::string& folder) {
    const size_t before = files_.size();
    RETURN_IF_ERROR(AddFolder(folder));
    if (files_.size() > before) return absl::OkStatus();
    return absl::InvalidArgumentError(fmt::format("{}: no file is in this folder or below it", folder));
  }

  absl::Status AddFolder(const fs::path& folder) {
    std::error_code error;
    const fs::path place = fs::canonical(folder, error);
    if (error) return absl::NotFoundError(fmt::format("{}: {}", folder.string(), error.message()));
    if (!entered_.insert(place).second) return absl::OkStatus();  // A link that leads round.
    std::vector<fs::path> entries;
    for (auto entry = fs::directory_iterator(folder, error); !error && entry != fs::directory_iterator();
         entry.increment(error))
      entries.push_back(entry->path());
    if (error) return absl::PermissionDeniedError(fmt::format("{}: {}", folder.string(), error.message()));
    std::sort(entries.begin(), entries.end());
    for (const fs::path& entry : entries) {
      if (entry.filename().string().starts_with(".")) continue;
      const fs::file_status status = fs::status(entry, error);
      if (fs::is_directory(status)) {
        RETURN_IF_ERROR(AddFolder(entry));
      } else if (fs::is_regular_file(status)) {
        files_.push_back(entry.string());
      } else {
        return absl::InvalidArgumentError(fmt::format(
            "{}: neither a file nor a folder; take it out, or name the files that are meant", entry.string()));
      }
    }
    return absl::OkStatus();
  }

  absl::Status AddPattern(const std::string& pattern) {
    glob_t found{};
    const int code = glob(pattern.c_str(), GLOB_TILDE, nullptr, &found);
    const std::vector<std::string> matches(found.gl_pathv, found.gl_pathv + (code == 0 ? found.gl_pathc : 0));
    globfree(&found);
    if (matches.empty()) return absl::NotFoundError(fmt::format("{}: no file matches this pattern", pattern));
    for (const std::string& match : matches) RETURN_IF_ERROR(Add(match));
    return absl::OkStatus();
  }

  std::vector<std::string> files_;
  std::set<fs::path> entered_;
};

}  // namespace

absl::StatusOr<std::vector<std::string>> ExpandInputs(const std::vector<std::string>& named) {
  if (named.empty()) return absl::InvalidArgumentError("no text is named");
  Expansion expansion;
  for (const std::string& name : named) RETURN_IF_ERROR(expansion.Add(name));
  return expansion.Take();
}

}  // namespace ridgeline
