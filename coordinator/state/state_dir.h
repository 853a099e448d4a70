// SPDX-License-Identifier: Apache-2.0
// The coordinator's folder: one process holds it, and coordinator.json says where that process listens.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ridgeline {

// Holds DIR/lock while it lives; the system lets go of it when the process ends, however it ends.
class StateDirLock {
 public:
  // Creates the folder if needed. FAILED_PRECONDITION, with the holder's process id, if another process has it.
  static absl::StatusOr<StateDirLock> Acquire(const std::string& state_dir);
  StateDirLock(StateDirLock&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  StateDirLock& operator=(StateDirLock&&) = delete;
  ~StateDirLock();

 private:
  explicit StateDirLock(int fd) : fd_(fd) {}
  int fd_;
};

// DIR/coordinator.json, in one step. Clients find the coordinator by it.
absl::Status WriteCoordinatorFile(const std::string& state_dir, const std::string& address,
                                  const std::string& metrics_address, bool has_tls);
// Removes it at a clean stop.
void RemoveCoordinatorFile(const std::string& state_dir);

}  // namespace ridgeline
