// SPDX-License-Identifier: Apache-2.0
// Child processes: started with a cookie in their environment, by which they and whatever they started are found
// again, also after their parent died.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace ridgeline {

// The path of this program, and the folder it lies in.
std::string ProgramPath();
std::string ProgramDir();

// Where `name` is on PATH; empty if nowhere.
std::string FindOnPath(const std::string& name);

struct SpawnSpec {
  std::vector<std::string> argv;                   // argv[0] is a path.
  std::map<std::string, std::string> environment;  // Added to ours.
  // Which of our variables the child does not get; empty: it gets all.
  std::function<bool(const std::string& name)> leaves_out;
  std::string log_path;  // Standard output and error are appended to it.
  bool detach = false;   // true: a session of its own, which outlives us. false: SIGTERM when we die.
};

// REQUIRES: the calling thread outlives the child (unless detached), and the process has no other threads.
absl::StatusOr<pid_t> Spawn(const SpawnSpec& spec);

struct Finished {
  int exit_code = -1;  // 128 + N after signal N; -1: still running at the limit, and killed with all that it started.
  std::string output;  // Standard output and error together.
};

// Runs to the end, or to the limit. `log_path` and `detach` of the spec are not used.
absl::StatusOr<Finished> RunFor(SpawnSpec spec, int64_t limit_ms);

// Runs to the end; standard output and error together. NOT_FOUND if it cannot be started.
absl::StatusOr<std::string> RunAndCapture(const std::vector<std::string>& argv);

inline constexpr char kCookieVariable[] = "RIDGELINE_SUPERVISED";

// Processes of this user whose environment holds kCookieVariable = `cookie`, without ourselves.
std::vector<pid_t> FindByCookie(const std::string& cookie);

// The program that a process runs; empty if there is no such process.
std::string ProgramOf(pid_t pid);

// Sends `signal` to all that carry the cookie; returns how many there were.
int SignalByCookie(const std::string& cookie, int signal);

// SIGKILL to all that carry the cookie, also to those that they start meanwhile. Returns how many were found.
int KillByCookie(const std::string& cookie);

}  // namespace ridgeline
