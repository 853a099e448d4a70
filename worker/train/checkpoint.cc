// SPDX-License-Identifier: Apache-2.0
#include "worker/train/checkpoint.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "common/clock.h"
#include "common/file.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int kManifestFormat = 1;
constexpr char kUnfinished[] = ".unfinished.";
constexpr char kStateFile[] = "state.safetensors";
constexpr char kManifestFile[] = "manifest.json";
constexpr size_t kMaxManifestBytes = size_t{1} << 20;

absl::Status RemoveTree(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  return error ? ErrnoStatus(error.value(), fmt::format("removing {}", path.string())) : absl::OkStatus();
}

// Folders step-*, newest first; with unfinished ones that a killed writer left, in `leftovers`.
std::vector<fs::path> CheckpointFolders(const std::string& root, std::vector<fs::path>* leftovers = nullptr) {
  std::vector<fs::path> folders;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(root, error)) {
    std::string name = entry.path().filename().string();
    if (!name.starts_with("step-")) continue;
    bool finished = name.find_first_not_of("0123456789", 5) == std::string::npos;
    if (finished)
      folders.push_back(entry.path());
    else if (leftovers != nullptr)
      leftovers->push_back(entry.path());
  }
  std::sort(folders.rbegin(), folders.rend());
  return folders;
}

// "step-00000100.unfinished.3" -> 3; 0 for a name that nobody writes.
int64_t EpochOfUnfinished(const fs::path& folder) {
  const std::string name = folder.filename().string();
  const size_t at = name.find(kUnfinished);
  return at == std::string::npos ? 0 : std::strtoll(name.c_str() + at + sizeof kUnfinished - 1, nullptr, 10);
}

// 0 if it is gone: this only counts bytes for people.
uintmax_t BytesOfFile(const fs::path& path) {
  std::error_code error;
  const uintmax_t bytes = fs::file_size(path, error);
  return error ? 0 : bytes;
}

std::string ManifestOf(const CheckpointState& state, uintmax_t bytes, const std::string& sha256) {
  Json manifest = {{"format", kManifestFormat},
                   {"step", state.step},
                   {"job_id", state.job_id},
                   {"recipe_sha256", state.recipe_sha256},
                   {"skipped_steps", state.skipped.total},
                   {"skipped_in_a_row", state.skipped.in_a_row},
                   {"version", RIDGELINE_VERSION},
                   {"files", {{{"name", kStateFile}, {"bytes", bytes}, {"sha256", sha256}}}}};
  return manifest.dump(2) + "\n";
}

absl::Status Damaged(const std::string& folder, const std::string& what) {
  return absl::DataLossError(fmt::format("checkpoint {}: {}", folder, what));
}

absl::Status VerifyState(const std::string& folder, const CheckpointManifest& manifest) {
  ASSIGN_OR_RETURN(const std::string sha256, Sha256HexOfFile((fs::path(folder) / kStateFile).string()));
  if (sha256 != manifest.state_sha256)
    return Damaged(folder, "state.safetensors does not match the hash in manifest.json");
  return absl::OkStatus();
}

// Whether a run of that job and recipe can resume from it.
absl::Status CheckUsable(const std::string& folder, const std::string& job_id, const std::string& recipe_sha256) {
  ASSIGN_OR_RETURN(const CheckpointManifest manifest, ReadManifest(folder));
  if (manifest.job_id != job_id || manifest.recipe_sha256 != recipe_sha256)
    return absl::FailedPreconditionError(fmt::format("{} is of job {} or of another recipe", folder, manifest.job_id));
  return VerifyState(folder, manifest);
}

}  // namespace

absl::StatusOr<v1::Checkpoint> WriteCheckpoint(const std::string& root, const CheckpointState& state) {
  const fs::path folder = fs::path(root) / fmt::format("step-{:08d}", state.step);
  const fs::path unfinished = fmt::format("{}{}{}", folder.string(), kUnfinished, state.epoch);
  RETURN_IF_ERROR(RemoveTree(unfinished));
  RETURN_IF_ERROR(MakeDirectories(unfinished.string()));
  auto write = [&]() -> absl::Status {
    const std::string file = (unfinished / kStateFile).string();
    RETURN_IF_ERROR(WriteSafetensors(file, state.tensors));
    ASSIGN_OR_RETURN(std::string sha256, Sha256HexOfFile(file));
    return WriteFileAtomically((unfinished / kManifestFile).string(), ManifestOf(state, BytesOfFile(file), sha256));
  };
  if (const absl::Status written = write(); !written.ok()) {
    RemoveTree(unfinished).IgnoreError();
    return written;
  }
  RETURN_IF_ERROR(RemoveTree(folder));
  std::error_code error;
  fs::rename(unfinished, folder, error);
  if (error) return ErrnoStatus(error.value(), fmt::format("naming {}", folder.string()));
  RETURN_IF_ERROR(SyncDirectory(root));
  return DescribeCheckpoint(folder.string(), state.step);
}

absl::StatusOr<v1::Checkpoint> DescribeCheckpoint(const std::string& folder, int64_t step) {
  ASSIGN_OR_RETURN(const std::string manifest,
                   ReadFile((fs::path(folder) / kManifestFile).string(), kMaxManifestBytes));
  v1::Checkpoint checkpoint;
  checkpoint.set_step(step);
  checkpoint.set_path(folder);
  checkpoint.set_bytes(static_cast<int64_t>(BytesOfFile(fs::path(folder) / kStateFile) + manifest.size()));
  checkpoint.set_sha256(Sha256Hex(manifest));
  checkpoint.set_time_unix_ms(SystemClock().WallUnixMs());
  return checkpoint;
}

absl::StatusOr<CheckpointManifest> ReadManifest(const std::string& folder) {
  ASSIGN_OR_RETURN(std::string text, ReadFile((fs::path(folder) / kManifestFile).string(), kMaxManifestBytes));
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  CheckpointManifest manifest;
  try {
    if (json.at("format").get<int>() != kManifestFormat)
      return Damaged(folder, "manifest.json has a format that this version does not know");
    manifest.step = json.at("step").get<int64_t>();
    manifest.job_id = json.at("job_id").get<std::string>();
    manifest.recipe_sha256 = json.at("recipe_sha256").get<std::string>();
    manifest.skipped.total = json.value("skipped_steps", int64_t{0});  // Older versions wrote neither.
    manifest.skipped.in_a_row = json.value("skipped_in_a_row", int64_t{0});
    manifest.state_sha256 = json.at("files").at(0).at("sha256").get<std::string>();
  } catch (const Json::exception& error) {
    return Damaged(folder, fmt::format("manifest.json is damaged: {}", error.what()));
  }
  return manifest;
}

absl::StatusOr<CheckpointState> ReadCheckpoint(const std::string& folder, bool verified) {
  ASSIGN_OR_RETURN(const CheckpointManifest manifest, ReadManifest(folder));
  if (!verified) RETURN_IF_ERROR(VerifyState(folder, manifest));
  CheckpointState state{.step = manifest.step,
                        .job_id = manifest.job_id,
                        .recipe_sha256 = manifest.recipe_sha256,
                        .skipped = manifest.skipped};
  ASSIGN_OR_RETURN(state.tensors, ReadSafetensors((fs::path(folder) / kStateFile).string()));
  return state;
}

FoundCheckpoint FindNewestCheckpoint(const std::string& root, const std::string& job_id,
                                     const std::string& recipe_sha256) {
  FoundCheckpoint found;
  for (const fs::path& folder : CheckpointFolders(root)) {
    const absl::Status usable = CheckUsable(folder.string(), job_id, recipe_sha256);
    if (usable.ok()) {
      found.folder = folder.string();
      return found;
    }
    found.passed_over.emplace_back(usable.message());
  }
  return found;
}

absl::Status RemoveOldCheckpoints(const std::string& root, int keep, int64_t epoch) {
  std::vector<fs::path> unfinished, leftovers, folders = CheckpointFolders(root, &unfinished);
  for (const fs::path& folder : unfinished)
    if (EpochOfUnfinished(folder) < epoch) leftovers.push_back(folder);
  for (size_t i = static_cast<size_t>(std::max(keep, 1)); i < folders.size(); ++i) leftovers.push_back(folders[i]);
  for (const fs::path& folder : leftovers) RETURN_IF_ERROR(RemoveTree(folder));
  return absl::OkStatus();
}

}  // namespace ridgeline
