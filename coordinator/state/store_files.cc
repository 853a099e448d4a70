// SPDX-License-Identifier: Apache-2.0
#include "coordinator/state/store_files.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <utility>

#include "common/file.h"
#include "common/status_macros.h"
#include "coordinator/state/journal.h"
#include "coordinator/state/sqlite.h"
#include "coordinator/state/state_dir.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDatabases[] = {"metrics.db", "journal.db"};  // The one without which there is no store is last.
constexpr const char* kEndings[] = {"", "-wal"};
constexpr char kRestoring[] = ".restoring";

class TemporaryFolder {
 public:
  static absl::StatusOr<TemporaryFolder> Make() {
    std::string path = (fs::temp_directory_path() / "ridgeline-verify-XXXXXX").string();
    if (mkdtemp(path.data()) == nullptr) return ErrnoStatus(errno, fmt::format("making a folder like {}", path));
    return TemporaryFolder(path);
  }
  TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

absl::Status FileError(const std::error_code& error, const std::string& what) {
  return error ? ErrnoStatus(error.value(), what) : absl::OkStatus();
}

absl::Status CopyDatabase(const std::string& from, const std::string& to) {
  ASSIGN_OR_RETURN(const SqliteDatabase database, SqliteDatabase::OpenAsItIs(from));
  return database.CopyTo(to);
}

bool Has(const std::string& folder, const std::string& name) { return fs::exists(folder + "/" + name); }

// Those that are there, with the journal.
absl::Status CopyDatabases(const std::string& from, const std::string& to, const std::string& ending) {
  for (const std::string name : kDatabases) {
    if (name == "journal.db" || Has(from, name))
      RETURN_IF_ERROR(CopyDatabase(from + "/" + name, to + "/" + name + ending));
  }
  return SyncDirectory(to);
}

absl::StatusOr<StoreFigures> Replay(const std::string& path) {
  JournalOptions options;
  options.path = path;
  options.writes_on_callers_thread = true;
  ASSIGN_OR_RETURN(const std::unique_ptr<Journal> journal, Journal::Open(options));
  return journal->Read([](const CoordinatorState& state) {
    return StoreFigures{state.sequence(), static_cast<int64_t>(state.jobs().size()),
                        static_cast<int64_t>(state.points().size())};
  });
}

// A link, or where the file system has none, a copy.
absl::Status Keep(const std::string& from, const std::string& to) {
  std::error_code error;
  fs::create_hard_link(from, to, error);
  if (error) fs::copy_file(from, to, error);
  return FileError(error, fmt::format("keeping {} as {}", from, to));
}

// The store that is there, in a new folder beside it; "" if there is none.
absl::StatusOr<std::string> KeepStore(const std::string& state_dir) {
  if (!Has(state_dir, "journal.db")) return std::string();
  int number = 1;
  while (Has(state_dir, fmt::format("before-restore-{}", number))) ++number;
  const std::string folder = fmt::format("{}/before-restore-{}", state_dir, number);
  RETURN_IF_ERROR(MakeDirectories(folder));
  for (const std::string name : kDatabases) {
    for (const std::string ending : kEndings)
      if (Has(state_dir, name + ending))
        RETURN_IF_ERROR(Keep(state_dir + "/" + name + ending, folder + "/" + name + ending));
  }
  RETURN_IF_ERROR(SyncDirectory(folder));
  return folder;
}

// Another file's log must not be read with the new file.
absl::Status PutInPlace(const std::string& path) {
  std::error_code error;
  for (const char* ending : {"-wal", "-shm"}) {
    fs::remove(path + ending, error);
    RETURN_IF_ERROR(FileError(error, fmt::format("removing {}{}", path, ending)));
  }
  if (fs::exists(path + kRestoring)) {
    fs::rename(path + kRestoring, path, error);
  } else {
    fs::remove(path, error);  // The backup has none.
  }
  return FileError(error, fmt::format("replacing {}", path));
}

absl::StatusOr<StoreFigures> CopyAndVerify(const std::string& state_dir, const std::string& folder) {
  RETURN_IF_ERROR(CopyDatabases(state_dir, folder, ""));
  return VerifyStore(folder);
}

}  // namespace

absl::StatusOr<StoreFigures> BackUpStore(const std::string& state_dir, const std::string& folder) {
  if (!Has(state_dir, "journal.db"))
    return absl::NotFoundError(
        fmt::format("{} holds no store (journal.db); name the state folder by --state", state_dir));
  if (fs::exists(folder))
    return absl::AlreadyExistsError(fmt::format("{} is there already; name a new folder", folder));
  RETURN_IF_ERROR(MakeDirectories(folder));
  const absl::StatusOr<StoreFigures> figures = CopyAndVerify(state_dir, folder);
  std::error_code ignored;
  if (!figures.ok()) fs::remove_all(folder, ignored);
  return figures;
}

absl::StatusOr<StoreFigures> VerifyStore(const std::string& folder) {
  if (!Has(folder, "journal.db")) return absl::NotFoundError(fmt::format("{} holds no store (journal.db)", folder));
  for (const std::string name : kDatabases) {
    if (!Has(folder, name)) continue;
    ASSIGN_OR_RETURN(const SqliteDatabase database, SqliteDatabase::OpenAsItIs(folder + "/" + name));
    RETURN_IF_ERROR(database.CheckAll());
  }
  ASSIGN_OR_RETURN(const TemporaryFolder temporary, TemporaryFolder::Make());
  const std::string copy = temporary.path() + "/journal.db";
  RETURN_IF_ERROR(CopyDatabase(folder + "/journal.db", copy));
  return Replay(copy);
}

absl::StatusOr<RestoredStore> RestoreStore(const std::string& folder, const std::string& state_dir) {
  RestoredStore restored;
  ASSIGN_OR_RETURN(restored.figures, VerifyStore(folder));
  ASSIGN_OR_RETURN(const StateDirLock lock, StateDirLock::Acquire(state_dir));
  std::error_code ignored;
  for (const std::string name : kDatabases) fs::remove(state_dir + "/" + name + kRestoring, ignored);
  RETURN_IF_ERROR(CopyDatabases(folder, state_dir, kRestoring));
  ASSIGN_OR_RETURN(restored.kept_in, KeepStore(state_dir));
  for (const std::string name : kDatabases) RETURN_IF_ERROR(PutInPlace(state_dir + "/" + name));
  RETURN_IF_ERROR(SyncDirectory(state_dir));
  return restored;
}

}  // namespace ridgeline
