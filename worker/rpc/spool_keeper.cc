// SPDX-License-Identifier: Apache-2.0
#include "worker/rpc/spool_keeper.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "common/file.h"
#include "fmt/format.h"
#include "spdlog/spdlog.h"

namespace ridgeline {

SpoolKeeper::SpoolKeeper(std::string path, const KeeperOptions& options)
    : path_(std::move(path)), options_(options), thread_([this] { Loop(); }) {}

SpoolKeeper::~SpoolKeeper() {
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

void SpoolKeeper::Keep(std::string bytes) {
  std::lock_guard lock(mutex_);
  if (path_.empty() || (is_kept_ && bytes == wanted_)) return;
  wanted_ = std::move(bytes);
  is_kept_ = has_failed_ = false;
  changed_.notify_all();
}

bool SpoolKeeper::WaitUntilKept(std::chrono::milliseconds wait) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, wait, [this] { return is_kept_ || has_failed_; });
  return is_kept_;
}

void SpoolKeeper::Loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    if (has_failed_ && !closing_)
      changed_.wait_for(lock, options_.retry_interval, [this] { return !has_failed_ || closing_; });
    changed_.wait(lock, [this] { return !is_kept_ || closing_; });
    if (is_kept_ || (closing_ && has_failed_)) return;
    const std::string bytes = *wanted_;
    lock.unlock();
    const absl::Status status = Write(bytes);
    lock.lock();
    if (bytes == wanted_) Note(status);
  }
}

absl::Status SpoolKeeper::Write(const std::string& bytes) const {
  if (!bytes.empty()) return WriteFileAtomically(path_, bytes);
  if (::unlink(path_.c_str()) == 0 || errno == ENOENT || errno == ENOTDIR) return absl::OkStatus();
  return ErrnoStatus(errno, fmt::format("removing {}", path_));
}

void SpoolKeeper::Note(const absl::Status& status) {
  is_kept_ = status.ok();
  has_failed_ = !status.ok();
  if (has_failed_ && !has_complained_)
    spdlog::warn("what the coordinator has not acknowledged is kept in memory only: {}", std::string(status.message()));
  if (has_failed_) has_complained_ = true;
  if (is_kept_ && !wanted_->empty()) has_complained_ = false;  // That there is no file says nothing of the disk.
  changed_.notify_all();
}

}  // namespace ridgeline
