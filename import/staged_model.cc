// SPDX-License-Identifier: Apache-2.0
#include "import/staged_model.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "common/clock.h"
#include "common/file.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"
#include "weights/model_store.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxNameBytes = 100;

std::string UtcNow() {
  const time_t now = static_cast<time_t>(SystemClock().WallUnixMs() / 1000);
  tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

// Both folders change places in one step; file systems that cannot do that see two.
absl::Status Exchange(const std::string& staged, const std::string& target) {
  if (::renameat2(AT_FDCWD, staged.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0) return absl::OkStatus();
  const std::string old = staged + ".old";
  if (::rename(target.c_str(), old.c_str()) != 0 || ::rename(staged.c_str(), target.c_str()) != 0)
    return ErrnoStatus(errno, fmt::format("replacing {}", target));
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckModelName(const std::string& name) {
  auto is_plain = [](unsigned char c) { return std::isalnum(c) || c == '.' || c == '_' || c == '-'; };
  const bool good = !name.empty() && name.size() <= kMaxNameBytes &&
                    std::isalnum(static_cast<unsigned char>(name[0])) &&
                    std::all_of(name.begin(), name.end(), is_plain);
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format(
      "'{}' cannot be a model's name: letters, digits, '.', '_' and '-', at most {}, a letter or digit first", name,
      kMaxNameBytes));
}

absl::StatusOr<StagedModel> StagedModel::Create(const std::string& name) {
  RETURN_IF_ERROR(CheckModelName(name));
  ASSIGN_OR_RETURN(const std::string store, ModelStoreDir());
  RETURN_IF_ERROR(MakeDirectories(store));
  std::string pattern = store + "/.import-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) return ErrnoStatus(errno, fmt::format("making a folder in {}", store));
  StagedModel staged(name, pattern);
  RETURN_IF_ERROR(MakeDirectories(staged.folder()));
  RETURN_IF_ERROR(MakeDirectories(staged.scratch()));
  return staged;
}

StagedModel::~StagedModel() {
  std::error_code ignored;
  if (!scratch_.empty()) fs::remove_all(scratch_, ignored);
}

void StagedModel::AddFile(const std::string& file_name, const std::string& sha256) {
  files_.emplace_back(file_name, sha256);
}

absl::Status StagedModel::WriteImportJson(const std::string& source) const {
  nlohmann::ordered_json files = nlohmann::ordered_json::array();
  for (const auto& [name, sha256] : files_) {
    std::error_code ignored;
    files.push_back({{"name", name}, {"bytes", fs::file_size(fs::path(folder()) / name, ignored)}, {"sha256", sha256}});
  }
  const nlohmann::ordered_json json = {{"name", name_}, {"source", source}, {"date", UtcNow()}, {"files", files}};
  return WriteFileAtomically(folder() + "/import.json",
                             json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

absl::StatusOr<std::string> StagedModel::Publish(const std::string& source, bool replace) {
  RETURN_IF_ERROR(WriteImportJson(source));
  RETURN_IF_ERROR(SyncDirectory(folder()));
  const std::string store = fs::path(scratch_).parent_path().string();
  const std::string target = store + "/" + name_;
  if (::rename(folder().c_str(), target.c_str()) != 0) {
    if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR)
      return ErrnoStatus(errno, fmt::format("naming {}", target));
    if (!replace) return absl::AlreadyExistsError(fmt::format("{} is there already (--force replaces it)", target));
    RETURN_IF_ERROR(Exchange(folder(), target));
  }
  RETURN_IF_ERROR(SyncDirectory(store));
  return target;
}

}  // namespace ridgeline
