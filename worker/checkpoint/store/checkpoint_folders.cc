// SPDX-License-Identifier: Apache-2.0
#include "worker/checkpoint/store/checkpoint_folders.h"

#include <fcntl.h>
#include <stdio.h>  // renameat2
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "common/file.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

constexpr char kUnfinished[] = ".unfinished.";
constexpr char kRemoved[] = ".removed";
constexpr char kDigits[] = "0123456789";

std::string NameOf(int64_t step) { return fmt::format("step-{:08d}", step); }

// Fine where another process removes it, too.
absl::Status RemoveTree(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  return error && error != std::errc::no_such_file_or_directory
             ? ErrnoStatus(error.value(), fmt::format("removing {}", path.string()))
             : absl::OkStatus();
}

// "step-00000100", whatever follows -> 100.
int64_t StepOf(const std::string& folder) {
  return std::strtoll(fs::path(folder).filename().c_str() + std::strlen("step-"), nullptr, 10);
}

// Whether that is what stands behind step-NNNNNNNN in the name of a folder that is written or removed. People's own
// folders are left alone.
bool IsUnfinishedEnding(std::string_view ending) {
  if (ending.ends_with(kRemoved)) ending.remove_suffix(std::strlen(kRemoved));
  if (ending.empty()) return true;
  if (!ending.starts_with(kUnfinished)) return false;
  ending.remove_prefix(std::strlen(kUnfinished));
  return !ending.empty() && ending.find_first_not_of(kDigits) == std::string_view::npos;
}

// Folders step-*, newest first: those that have their names, and with `unfinished` the others.
std::vector<std::string> FoldersOf(const std::string& root, bool unfinished) {
  std::vector<std::string> folders;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(root, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("step-") || !fs::is_directory(entry.symlink_status(error))) continue;
    const size_t end = std::min(name.find_first_not_of(kDigits, std::strlen("step-")), name.size());
    if (end == std::strlen("step-")) continue;
    const std::string_view ending = std::string_view(name).substr(end);
    if (unfinished ? !ending.empty() && IsUnfinishedEnding(ending) : ending.empty())
      folders.push_back(entry.path().string());
  }
  std::sort(folders.begin(), folders.end(), [](const std::string& a, const std::string& b) {
    return std::pair(StepOf(a), a) > std::pair(StepOf(b), b);
  });
  return folders;
}

// A folder that has its name loses it first: half of it is never taken for a checkpoint.
absl::Status RemoveNamed(const std::string& folder) {
  const std::string removed = folder + kRemoved;
  RETURN_IF_ERROR(RemoveTree(removed));
  std::error_code error;
  fs::rename(folder, removed, error);
  if (error == std::errc::no_such_file_or_directory) return absl::OkStatus();  // Another process was faster.
  if (error) return ErrnoStatus(error.value(), fmt::format("removing {}", folder));
  return RemoveTree(removed);
}

// "step-00000100.unfinished.3" -> 3; 0 for a name that nobody writes.
int64_t EpochOfUnfinished(const std::string& folder) {
  const std::string name = fs::path(folder).filename().string();
  const size_t at = name.find(kUnfinished);
  return at == std::string::npos ? 0 : std::strtoll(name.c_str() + at + sizeof kUnfinished - 1, nullptr, 10);
}

absl::Status Damaged(const std::string& folder, const std::string& what) {
  return absl::DataLossError(fmt::format("checkpoint {}: {}", folder, what));
}

// Whether a run of that job and recipe can resume from it.
absl::Status CheckUsable(const std::string& folder, const std::string& job_id, const std::string& recipe_sha256) {
  ASSIGN_OR_RETURN(const CheckpointManifest manifest, ReadManifestOf(folder));
  if (manifest.job_id != job_id || manifest.recipe_sha256 != recipe_sha256)
    return absl::FailedPreconditionError(fmt::format("{} is of job {} or of another recipe", folder, manifest.job_id));
  return VerifyCheckpoint(folder, manifest);
}

// As it is seen from here: other ranks may have written it.
absl::Status CheckWritten(const fs::path& folder, const CheckpointFile& file) {
  std::error_code error;
  const uintmax_t bytes = fs::file_size(folder / file.name, error);
  if (!error && bytes == static_cast<uintmax_t>(file.bytes)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("{} was written by another rank and is not seen by rank 0 with its {} bytes: all ranks need the same "
                  "work folder (--work-dir)",
                  (folder / file.name).string(), file.bytes));
}

// `unfinished` becomes `folder`. Where the file system can, an older one is exchanged for it in one step.
absl::Status GiveName(const std::string& unfinished, const std::string& folder) {
  std::error_code error;
  if (::renameat2(AT_FDCWD, unfinished.c_str(), AT_FDCWD, folder.c_str(), RENAME_EXCHANGE) == 0)
    return RemoveTree(unfinished);
  if (fs::exists(folder, error)) RETURN_IF_ERROR(RemoveNamed(folder));
  fs::rename(unfinished, folder, error);
  return error ? ErrnoStatus(error.value(), fmt::format("naming {}", folder)) : absl::OkStatus();
}

// The folders of the `count` lowest held-out losses.
std::set<std::string> BestOf(std::vector<std::pair<double, std::string>> losses, int count) {
  std::sort(losses.begin(), losses.end());
  std::set<std::string> best;
  for (size_t i = 0; i < losses.size() && i < static_cast<size_t>(std::max(count, 0)); ++i)
    best.insert(losses[i].second);
  return best;
}

// Of those that have their names. One whose manifest is damaged takes no other's place, and goes when it is too old.
std::vector<RemovableCheckpoint> BeyondPolicy(const std::string& root, const KeepPolicy& policy) {
  std::vector<std::string> old;
  std::vector<std::pair<double, std::string>> losses;
  int kept = 0;
  for (const std::string& folder : CheckpointFolders(root)) {
    const absl::StatusOr<CheckpointManifest> manifest = ReadManifestOf(folder);
    if (manifest.ok() && manifest->validation_loss) losses.emplace_back(*manifest->validation_loss, folder);
    if (kept >= std::max(policy.latest, 1)) old.push_back(folder);
    if (manifest.ok()) ++kept;
  }
  const std::set<std::string> best = BestOf(std::move(losses), policy.best);
  std::vector<RemovableCheckpoint> removable;
  for (const std::string& folder : old)
    if (!best.contains(folder)) removable.push_back({folder, "checkpoint.keep_latest and keep_best do not keep it"});
  return removable;
}

}  // namespace

std::string CheckpointsOf(const std::string& job_id) { return fmt::format("jobs/{}/checkpoints", job_id); }

std::string UnfinishedCheckpoint(const std::string& root, int64_t step, int64_t epoch) {
  return (fs::path(root) / fmt::format("{}{}{}", NameOf(step), kUnfinished, epoch)).string();
}

std::string CheckpointFileName(int rank, int ranks) {
  return fmt::format("state-{:05d}-of-{:05d}.safetensors", rank, ranks);
}

absl::StatusOr<v1::Checkpoint> CommitCheckpoint(const std::string& root, int64_t epoch,
                                                const CheckpointManifest& manifest) {
  const fs::path unfinished = UnfinishedCheckpoint(root, manifest.step, epoch),
                 folder = fs::path(root) / NameOf(manifest.step);
  auto commit = [&]() -> absl::Status {
    for (const CheckpointFile& file : manifest.files) RETURN_IF_ERROR(CheckWritten(unfinished, file));
    RETURN_IF_ERROR(WriteFileAtomically((unfinished / kManifestFile).string(), FormatManifest(manifest)));
    return GiveName(unfinished.string(), folder.string());
  };
  if (const absl::Status committed = commit(); !committed.ok()) {
    RemoveTree(unfinished).IgnoreError();
    return committed;
  }
  RETURN_IF_ERROR(SyncDirectory(root));
  return DescribeCheckpoint(folder.string());
}

absl::Status RemoveUnfinishedCheckpoint(const std::string& root, int64_t step, int64_t epoch) {
  return RemoveTree(UnfinishedCheckpoint(root, step, epoch));
}

absl::Status VerifyCheckpoint(const std::string& folder, const CheckpointManifest& manifest) {
  for (const CheckpointFile& file : manifest.files) {
    const fs::path path = fs::path(folder) / file.name;
    std::error_code error;
    if (fs::exists(path, error) && !fs::is_regular_file(fs::symlink_status(path, error)))
      return Damaged(folder, fmt::format("{} is a link or no file", file.name));
    const uintmax_t bytes = fs::file_size(path, error);
    if (error) return Damaged(folder, fmt::format("{} cannot be read: {}", file.name, error.message()));
    if (bytes != static_cast<uintmax_t>(file.bytes))
      return Damaged(
          folder, fmt::format("{} has {} bytes and not {}, as {} says", file.name, bytes, file.bytes, kManifestFile));
    ASSIGN_OR_RETURN(const std::string sha256, Sha256HexOfFile(path.string()));
    if (sha256 != file.sha256)
      return Damaged(folder, fmt::format("{} does not match the hash in {}", file.name, kManifestFile));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::Checkpoint> DescribeCheckpoint(const std::string& folder) {
  const std::string file = (fs::path(folder) / kManifestFile).string();
  ASSIGN_OR_RETURN(const CheckpointManifest manifest, ReadManifest(folder));
  ASSIGN_OR_RETURN(const std::string text, ReadFile(file));
  v1::Checkpoint checkpoint;
  checkpoint.set_step(manifest.step);
  checkpoint.set_path(folder);
  checkpoint.set_bytes(manifest.FileBytes() + static_cast<int64_t>(text.size()));
  checkpoint.set_sha256(Sha256Hex(text));
  if (manifest.validation_loss) checkpoint.set_validation_loss(*manifest.validation_loss);
  struct stat info {};
  if (::stat(file.c_str(), &info) == 0)
    checkpoint.set_time_unix_ms(int64_t{info.st_mtim.tv_sec} * 1000 + info.st_mtim.tv_nsec / 1'000'000);
  return checkpoint;
}

absl::StatusOr<CheckpointManifest> ReadManifestOf(const std::string& folder) {
  ASSIGN_OR_RETURN(CheckpointManifest manifest, ReadManifest(folder));
  if (manifest.step != StepOf(folder))
    return Damaged(folder, fmt::format("{} is that of step {}", kManifestFile, manifest.step));
  return manifest;
}

std::vector<std::string> CheckpointFolders(const std::string& root) { return FoldersOf(root, /*unfinished=*/false); }

FoundCheckpoint FindNewestCheckpoint(const std::string& root, const std::string& job_id,
                                     const std::string& recipe_sha256) {
  FoundCheckpoint found;
  for (const std::string& folder : CheckpointFolders(root)) {
    const absl::Status usable = CheckUsable(folder, job_id, recipe_sha256);
    if (usable.ok()) {
      found.folder = folder;
      return found;
    }
    found.passed_over.emplace_back(usable.message());
  }
  return found;
}

std::vector<RemovableCheckpoint> RemovableCheckpoints(const std::string& root, const KeepPolicy& policy, int64_t epoch,
                                                      bool others_remove) {
  std::vector<RemovableCheckpoint> removable = BeyondPolicy(root, policy);
  for (const std::string& folder : FoldersOf(root, /*unfinished=*/true)) {
    if (folder.ends_with(kRemoved)) {
      if (!others_remove) removable.push_back({folder, "its removal was never finished"});
    } else if (EpochOfUnfinished(folder) < epoch) {
      removable.push_back({folder, "its write was never finished"});
    }
  }
  return removable;
}

absl::Status RemoveCheckpoints(const std::vector<RemovableCheckpoint>& removable) {
  for (const RemovableCheckpoint& checkpoint : removable) RETURN_IF_ERROR(RemoveNamed(checkpoint.folder));
  return absl::OkStatus();
}

}  // namespace ridgeline
