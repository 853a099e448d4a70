// SPDX-License-Identifier: Apache-2.0
#include "coordinator/simulation/memory_disk.h"

#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <cstring>

namespace ridgeline::simulation {
namespace {

constexpr size_t kSectorBytes = 512;

struct OpenFile {
  sqlite3_file base;  // First, as SQLite wants it.
  MemoryDisk* disk;
  std::shared_ptr<MemoryDisk::File>* file;
};

OpenFile* Of(sqlite3_file* file) { return reinterpret_cast<OpenFile*>(file); }
MemoryDisk::File& FileOf(sqlite3_file* file) { return **Of(file)->file; }

}  // namespace

// What SQLite calls; a friend of the disk.
struct DiskVfs {
  static MemoryDisk& Disk(sqlite3_vfs* vfs) { return *static_cast<MemoryDisk*>(vfs->pAppData); }
  static bool Spend(sqlite3_file* file) { return Of(file)->disk->Spend(); }
  static bool IsFull(sqlite3_file* file) { return Of(file)->disk->full_; }
  static bool IsLying(sqlite3_file* file) { return Of(file)->disk->lying_; }

  static int Open(sqlite3_vfs* vfs, const char* path, sqlite3_file* out, int flags, int* out_flags);
  static int Delete(sqlite3_vfs* vfs, const char* path, int /*sync_folder*/) {
    if (!Disk(vfs).Spend()) return SQLITE_IOERR_DELETE;
    return Disk(vfs).files_.erase(path) > 0 ? SQLITE_OK : SQLITE_IOERR_DELETE_NOENT;
  }
  static int Access(sqlite3_vfs* vfs, const char* path, int /*flags*/, int* result) {
    *result = Disk(vfs).files_.count(path) > 0;
    return SQLITE_OK;
  }
  static int FullPathname(sqlite3_vfs*, const char* path, int out_bytes, char* out) {
    sqlite3_snprintf(out_bytes, out, "%s", path);
    return SQLITE_OK;
  }
};

namespace {

int Close(sqlite3_file* file) {
  delete Of(file)->file;
  return SQLITE_OK;
}

int Read(sqlite3_file* file, void* out, int count, sqlite3_int64 offset) {
  const std::string& bytes = FileOf(file).written;
  const auto begin = static_cast<size_t>(offset), wanted = static_cast<size_t>(count);
  const size_t there = begin >= bytes.size() ? 0 : std::min(wanted, bytes.size() - begin);
  if (there > 0) std::memcpy(out, bytes.data() + begin, there);
  if (there == wanted) return SQLITE_OK;
  std::memset(static_cast<char*>(out) + there, 0, wanted - there);
  return SQLITE_IOERR_SHORT_READ;
}

int Write(sqlite3_file* file, const void* from, int count, sqlite3_int64 offset) {
  if (!DiskVfs::Spend(file)) return SQLITE_IOERR_WRITE;
  if (DiskVfs::IsFull(file)) return SQLITE_FULL;
  std::string& bytes = FileOf(file).written;
  const auto begin = static_cast<size_t>(offset), size = static_cast<size_t>(count);
  if (bytes.size() < begin + size) bytes.resize(begin + size);
  std::memcpy(bytes.data() + begin, from, size);
  return SQLITE_OK;
}

int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  if (!DiskVfs::Spend(file)) return SQLITE_IOERR_TRUNCATE;
  FileOf(file).written.resize(static_cast<size_t>(size));
  return SQLITE_OK;
}

int Sync(sqlite3_file* file, int /*flags*/) {
  if (!DiskVfs::Spend(file)) return SQLITE_IOERR_FSYNC;
  if (!DiskVfs::IsLying(file)) FileOf(file).synced = FileOf(file).written;
  return SQLITE_OK;
}

int FileSize(sqlite3_file* file, sqlite3_int64* size) {
  *size = static_cast<sqlite3_int64>(FileOf(file).written.size());
  return SQLITE_OK;
}

// One process, which holds its files exclusively.
int Lock(sqlite3_file*, int) { return SQLITE_OK; }
int CheckReservedLock(sqlite3_file*, int* result) {
  *result = 0;
  return SQLITE_OK;
}
int FileControl(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
int SectorSize(sqlite3_file*) { return kSectorBytes; }
int DeviceCharacteristics(sqlite3_file*) { return 0; }

const sqlite3_io_methods kMethods = {.iVersion = 1,
                                     .xClose = Close,
                                     .xRead = Read,
                                     .xWrite = Write,
                                     .xTruncate = Truncate,
                                     .xSync = Sync,
                                     .xFileSize = FileSize,
                                     .xLock = Lock,
                                     .xUnlock = Lock,
                                     .xCheckReservedLock = CheckReservedLock,
                                     .xFileControl = FileControl,
                                     .xSectorSize = SectorSize,
                                     .xDeviceCharacteristics = DeviceCharacteristics,
                                     .xShmMap = nullptr,
                                     .xShmLock = nullptr,
                                     .xShmBarrier = nullptr,
                                     .xShmUnmap = nullptr,
                                     .xFetch = nullptr,
                                     .xUnfetch = nullptr};

}  // namespace

int DiskVfs::Open(sqlite3_vfs* vfs, const char* path, sqlite3_file* out, int flags, int* out_flags) {
  MemoryDisk& disk = Disk(vfs);
  OpenFile* file = Of(out);
  file->base.pMethods = nullptr;
  std::shared_ptr<MemoryDisk::File> found;
  if (path == nullptr) {
    found = std::make_shared<MemoryDisk::File>();  // One that SQLite needs for itself.
  } else if (const auto entry = disk.files_.find(path); entry != disk.files_.end()) {
    found = entry->second;
  } else if ((flags & SQLITE_OPEN_CREATE) != 0 && disk.Spend()) {
    found = disk.files_[path] = std::make_shared<MemoryDisk::File>();
  } else {
    return SQLITE_CANTOPEN;
  }
  file->disk = &disk;
  file->file = new std::shared_ptr<MemoryDisk::File>(found);
  file->base.pMethods = &kMethods;
  if (out_flags != nullptr) *out_flags = flags;
  return SQLITE_OK;
}

MemoryDisk::MemoryDisk() {
  static std::atomic<int64_t> count = 0;
  name_ = "ridgeline-memory-" + std::to_string(++count);
  const sqlite3_vfs* system = sqlite3_vfs_find(nullptr);
  vfs_ = std::make_unique<sqlite3_vfs>(*system);  // Time, sleep and randomness stay the system's.
  vfs_->iVersion = 1;
  vfs_->szOsFile = sizeof(OpenFile);
  vfs_->zName = name_.c_str();
  vfs_->pAppData = this;
  vfs_->xOpen = DiskVfs::Open;
  vfs_->xDelete = DiskVfs::Delete;
  vfs_->xAccess = DiskVfs::Access;
  vfs_->xFullPathname = DiskVfs::FullPathname;
  sqlite3_vfs_register(vfs_.get(), 0);
}

MemoryDisk::~MemoryDisk() { sqlite3_vfs_unregister(vfs_.get()); }

bool MemoryDisk::Spend() {
  if (operations_left_ == 0) return false;
  if (operations_left_ > 0) --operations_left_;
  return true;
}

void MemoryDisk::Crash(std::mt19937_64& random) {
  for (auto& [path, file] : files_) {
    std::string left = file->synced;
    if (random() % 2 == 0) left.resize(file->written.size());
    for (size_t begin = 0; begin < std::min(left.size(), file->written.size()); begin += kSectorBytes) {
      const size_t size = std::min({kSectorBytes, left.size() - begin, file->written.size() - begin});
      if (random() % 2 == 0) std::memcpy(left.data() + begin, file->written.data() + begin, size);
    }
    file->synced = file->written = left;
  }
  operations_left_ = -1;
  full_ = false;
}

}  // namespace ridgeline::simulation
