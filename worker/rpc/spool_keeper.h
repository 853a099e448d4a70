// SPDX-License-Identifier: Apache-2.0
// Keeps a file up to date from a thread of its own, so that nobody who trains or talks waits for a disk.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/status.h"

namespace ridgeline {

struct KeeperOptions {
  std::chrono::milliseconds retry_interval{10'000};  // After a failed write.
};

// Thread-safe. Owns its thread; the destructor writes what was said last, and joins it.
class SpoolKeeper {
 public:
  // An empty path: nothing is kept.
  explicit SpoolKeeper(std::string path, const KeeperOptions& options = {});
  ~SpoolKeeper();
  SpoolKeeper(const SpoolKeeper&) = delete;
  SpoolKeeper& operator=(const SpoolKeeper&) = delete;

  // From now on the file has these bytes, written atomically and flushed; empty: there is no file. Returns at once; of
  // several that come while one is written only the last is. What cannot be written is logged once and tried again.
  void Keep(std::string bytes);

  // Waits until the disk has what was said last; false if that takes longer, or fails.
  bool WaitUntilKept(std::chrono::milliseconds wait);

 private:
  void Loop();
  absl::Status Write(const std::string& bytes) const;
  // REQUIRES: mutex_ is held.
  void Note(const absl::Status& status);

  const std::string path_;
  const KeeperOptions options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_:
  std::optional<std::string> wanted_;  // Nothing: the file stays as it was found.
  bool is_kept_ = true;                // The disk has `wanted_`.
  bool has_failed_ = false;
  bool has_complained_ = false;
  bool closing_ = false;

  std::thread thread_;
};

}  // namespace ridgeline
