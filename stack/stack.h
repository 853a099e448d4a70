// SPDX-License-Identifier: Apache-2.0
// The local stack that `up` starts: its files, whether it is alive, and where its coordinator listens.
// A supervisor process holds a lock for as long as it lives, so files left by a crash or a reboot mislead nobody.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ridgeline {

// ~/.local/state/ridgeline. FAILED_PRECONDITION with the remedy where there is no home folder.
absl::StatusOr<std::string> DefaultStateDir();

// Files of a state folder. The coordinator keeps its own (coordinator.json, lock, journal) in the same folder.
struct StackPaths {
  explicit StackPaths(const std::string& state_dir);
  std::string state_dir;           // Absolute.
  std::string coordinator_file;    // coordinator.json, written by the coordinator when it is ready.
  std::string coordinator_socket;  // coordinator.sock, of the coordinator while it runs.
  std::string supervisor_file;     // supervisor.json
  std::string supervisor_lock;
  std::string start_lock;  // up.lock, of the `ridgeline up` that is starting the stack.
  std::string supervisor_log, coordinator_log, worker_log;
  std::string admin_token;  // Written by a coordinator that asks for tokens, when it starts for the first time.
  std::string work_dir;     // The worker group's.
  // Cookies in the environment of what the supervisor starts (process.h).
  std::string CoordinatorCookie() const { return state_dir + "#coordinator"; }
  std::string WorkerCookie() const { return state_dir + "#worker"; }
};

struct CoordinatorFile {
  pid_t pid = 0;
  std::string address;
  std::string metrics_address;
  bool has_tls = false;
};
// NOT_FOUND if there is none, DATA_LOSS if it is not what a coordinator writes.
absl::StatusOr<CoordinatorFile> ReadCoordinatorFile(const StackPaths& paths);

// The path of the coordinator's socket if this process may connect to it, else empty: it is only for the coordinator's
// user, and not there where the folder's name is too long for a socket.
std::string UsableSocket(const StackPaths& paths);

struct SupervisorFile {
  pid_t pid = 0;
  int ranks = 0;
  pid_t coordinator_pid = 0;  // 0 while it is down.
  pid_t worker_pid = 0;       // mpirun.
  int coordinator_restarts = 0;
  int worker_restarts = 0;
  int64_t start_unix_ms = 0;
};
absl::StatusOr<SupervisorFile> ReadSupervisorFile(const StackPaths& paths);
absl::Status WriteSupervisorFile(const StackPaths& paths, const SupervisorFile& file);

// The lock of a living supervisor. Released when the object, or the process, ends.
class SupervisorLock {
 public:
  // ALREADY_EXISTS while another process holds it.
  static absl::StatusOr<SupervisorLock> Acquire(const StackPaths& paths);
  SupervisorLock(SupervisorLock&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  SupervisorLock& operator=(SupervisorLock&&) = delete;
  ~SupervisorLock();

 private:
  explicit SupervisorLock(int fd) : fd_(fd) {}
  int fd_;
};

// Whether a supervisor of this state folder is alive.
bool SupervisorIsAlive(const StackPaths& paths);

// The state folder's coordinator. UNAVAILABLE with the remedy if there is none.
absl::StatusOr<CoordinatorFile> FindCoordinator(const StackPaths& paths);

// The last lines of a log, each indented; empty if there is none.
std::string LogTail(const std::string& path, int lines);

}  // namespace ridgeline
