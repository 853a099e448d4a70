// SPDX-License-Identifier: Apache-2.0
#include "coordinator/state/state_dir.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/file.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

std::string CoordinatorFile(const std::string& state_dir) { return state_dir + "/coordinator.json"; }

// What starts that ended before the file had its name have left.
void RemoveHalfWritten(const std::string& state_dir) {
  const std::string prefix = "coordinator.json.tmp.";
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(state_dir, error)) {
    if (entry.path().filename().string().rfind(prefix, 0) == 0) std::filesystem::remove(entry.path(), error);
  }
}

}  // namespace

absl::StatusOr<StateDirLock> StateDirLock::Acquire(const std::string& state_dir) {
  RETURN_IF_ERROR(MakeDirectories(state_dir));
  const std::string path = state_dir + "/lock";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return ErrnoStatus(errno, fmt::format("cannot open {}", path));
  StateDirLock lock(fd);
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
    const std::string pid = fmt::format("{}\n", getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, pid.data(), pid.size(), 0) < 0) {
      const absl::Status status = ErrnoStatus(errno, fmt::format("cannot write {}", path));
      if (!IsNoRoom(status)) return status;  // Held all the same; whoever comes to it is not told by which process.
    }
    return lock;
  }
  if (errno != EWOULDBLOCK) return ErrnoStatus(errno, fmt::format("cannot lock {}", path));
  const absl::StatusOr<std::string> pid = ReadFile(path, 64);
  const std::string holder = pid.ok() ? pid->substr(0, pid->find('\n')) : "unknown";
  return absl::FailedPreconditionError(
      fmt::format("{}: another coordinator (process {}) holds this state folder; stop it, or choose another --state",
                  state_dir, holder));
}

StateDirLock::~StateDirLock() {
  if (fd_ >= 0) close(fd_);
}

absl::Status WriteCoordinatorFile(const std::string& state_dir, const std::string& address,
                                  const std::string& metrics_address, bool has_tls) {
  const nlohmann::json content = {{"pid", getpid()},
                                  {"address", address},
                                  {"metrics_address", metrics_address},
                                  {"tls", has_tls},
                                  {"version", RIDGELINE_VERSION}};
  RemoveHalfWritten(state_dir);
  return WriteFileAtomically(CoordinatorFile(state_dir), content.dump() + "\n");
}

void RemoveCoordinatorFile(const std::string& state_dir) { unlink(CoordinatorFile(state_dir).c_str()); }

}  // namespace ridgeline
