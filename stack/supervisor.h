// SPDX-License-Identifier: Apache-2.0
// The process that `up` leaves behind: it runs a coordinator and one worker group, starts either again when it dies,
// and takes both down with it.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/clock.h"
#include "stack/process.h"
#include "stack/stack.h"

namespace ridgeline {

// Of one worker group on one machine.
inline constexpr int kMaxStackRanks = 1024;
inline constexpr double kMinHangTimeoutSeconds = 0.1, kMaxHangTimeoutSeconds = 86'400;

struct SupervisorOptions {
  std::string state_dir;
  int ranks = 1;                               // 0: no worker group.
  std::string device = "auto";                 // What the ranks compute on: the worker's --device.
  std::optional<double> hang_timeout_seconds;  // The worker's --hang-timeout; nothing: its default.
  std::vector<std::string> labels;             // The worker's --label, "key=value" each.
  std::string listen = "127.0.0.1:7117";
  std::string metrics = "127.0.0.1:7118";
  bool insecure = false;
};

// How long to wait before the next start: doubles with each early death, and starts over after a long life.
class RestartBackoff {
 public:
  // `lived_ms`: how long the process that has just died ran.
  int64_t NextDelayMs(int64_t lived_ms);

 private:
  int64_t delay_ms_ = 0;
};

// The address with `port_from`'s port: a restarted coordinator must come back where its clients look for it.
std::string WithPortOf(const std::string& address, const std::string& port_from);

// What a person said of the worker group, as arguments that `ridgeline supervise` and `ridgeline-worker` both take.
std::vector<std::string> WorkerArguments(const SupervisorOptions& options);

// The worker group as a process of ours: mpirun and what it needs (mpirun.h).
SpawnSpec WorkerSpawnSpec(const StackPaths& paths, const SupervisorOptions& options,
                          const std::string& coordinator_address);

// REQUIRES: one thread in the process, for as long as Run lasts.
class Supervisor {
 public:
  explicit Supervisor(SupervisorOptions options);
  // Until SIGTERM, SIGINT or SIGHUP. An error if the coordinator's very first start fails.
  absl::Status Run();

 private:
  struct Child {
    std::string what;        // For the log.
    pid_t pid = 0;           // 0: not running.
    int64_t started_ms = 0;  // Monotonic.
    int64_t start_at_ms = 0;
    int restarts = 0;
    bool stopping = false;
    RestartBackoff backoff;
  };

  absl::Status Loop();
  absl::Status StartCoordinator();
  absl::Status StartWorker();
  absl::Status StartDueChildren();
  void LearnAddress();
  void ReapChildren();
  void ChildDied(Child* child, int wait_status);
  void WriteState();
  void Stop();
  void StopWorker();
  void StopCoordinator();
  bool ReapUntilGone(const Child& child, int64_t limit_ms);

  SupervisorOptions options_;
  StackPaths paths_;
  const Clock& clock_;
  Child coordinator_, worker_;
  std::string address_;  // Of the coordinator, once it was ready; then its ports are fixed.
  int64_t start_unix_ms_ = 0;
};

}  // namespace ridgeline
