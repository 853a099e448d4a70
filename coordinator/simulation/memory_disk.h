// SPDX-License-Identifier: Apache-2.0
// A disk in memory that loses what was not synced, as a file system of SQLite's. For simulation.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

struct sqlite3_vfs;

namespace ridgeline::simulation {

// Not thread-safe. SQLite finds it by `name()` while it lives; files must be closed before it dies.
class MemoryDisk {
 public:
  MemoryDisk();
  ~MemoryDisk();
  MemoryDisk(const MemoryDisk&) = delete;
  MemoryDisk& operator=(const MemoryDisk&) = delete;

  const std::string& name() const { return name_; }

  // Writes fail as on a full disk until space is freed.
  void SetFull(bool full) { full_ = full; }
  // After so many further writes, syncs and truncations, all that follows fails: the machine has lost its power.
  void LosePowerAfter(int64_t operations) { operations_left_ = operations; }
  bool has_power() const { return operations_left_ != 0; }
  // Syncs that do nothing: a disk that lies.
  void SetLying(bool lying) { lying_ = lying; }

  // What is there after a loss of power: all that was synced, and of what was written since, sector by sector, whatever
  // `random` says. Files must be closed.
  void Crash(std::mt19937_64& random);

  struct File {
    std::string written;  // As a reader sees it.
    std::string synced;
  };

 private:
  friend struct DiskVfs;
  // Whether the next change may happen.
  bool Spend();

  std::string name_;
  std::unique_ptr<sqlite3_vfs> vfs_;
  std::map<std::string, std::shared_ptr<File>> files_;
  bool full_ = false, lying_ = false;
  int64_t operations_left_ = -1;  // -1: power stays.
};

}  // namespace ridgeline::simulation
