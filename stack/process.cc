// SPDX-License-Identifier: Apache-2.0
// fork and exec, and /proc.
#include "stack/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>

#include "common/clock.h"
#include "common/file.h"

extern char** environ;

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

std::vector<char*> Pointers(std::vector<std::string>* strings) {
  std::vector<char*> pointers;
  for (std::string& text : *strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> EnvironmentFor(const SpawnSpec& spec) {
  std::vector<std::string> merged;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry, name = text.substr(0, text.find('='));
    const bool left_out = spec.environment.contains(name) || (spec.leaves_out && spec.leaves_out(name));
    if (!left_out) merged.push_back(text);
  }
  for (const auto& [name, value] : spec.environment) merged.push_back(name + "=" + value);
  return merged;
}

// In the child: only async-signal-safe calls from here to exec.
[[noreturn]] void Exec(int log_fd, bool detach, pid_t parent, char** argv, char** envp) {
  if (detach) {
    setsid();
  } else {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(127);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const int null_fd = open("/dev/null", O_RDONLY);
  dup2(null_fd, STDIN_FILENO);
  dup2(log_fd, STDOUT_FILENO);
  dup2(log_fd, STDERR_FILENO);
  execve(argv[0], argv, envp);
  _exit(127);
}

std::string ReadAll(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// The environment of the process whose folder in /proc this is. While a process turns into another program (execve),
// its environment reads as empty: such a one is looked at again, for up to kMaxExecMs. Kernel threads, zombies and
// other users' processes show no program and are not waited for.
std::string EnvironmentOf(const fs::path& process) {
  constexpr int kMaxExecMs = 50;
  std::string environment = ReadAll(process / "environ");
  for (int waited_ms = 0; environment.empty() && waited_ms < kMaxExecMs; ++waited_ms) {
    std::error_code no_program;
    if (fs::read_symlink(process / "exe", no_program).empty()) break;
    usleep(1'000);
    environment = ReadAll(process / "environ");
  }
  return environment;
}

}  // namespace

std::string ProgramPath() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).string();
}

std::string ProgramDir() { return fs::path(ProgramPath()).parent_path().string(); }

std::string FindOnPath(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::stringstream folders(path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string candidate = (fs::path(folder) / name).string();
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return "";
}

absl::StatusOr<pid_t> Spawn(const SpawnSpec& spec) {
  const int log_fd = open(spec.log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (log_fd < 0) return ErrnoStatus(errno, fmt::format("opening {}", spec.log_path));
  std::vector<std::string> argv = spec.argv, environment = EnvironmentFor(spec);
  std::vector<char*> argv_pointers = Pointers(&argv), environment_pointers = Pointers(&environment);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) Exec(log_fd, spec.detach, parent, argv_pointers.data(), environment_pointers.data());
  const int fork_error = errno;
  close(log_fd);
  if (pid < 0) return ErrnoStatus(fork_error, fmt::format("starting {}", spec.argv[0]));
  return pid;
}

absl::StatusOr<Finished> RunFor(SpawnSpec spec, int64_t limit_ms) {
  std::string log = (fs::temp_directory_path() / "ridgeline-run-XXXXXX").string();
  const int fd = mkstemp(log.data());
  if (fd < 0) return ErrnoStatus(errno, fmt::format("creating {}", log));
  close(fd);
  spec.log_path = log;
  spec.detach = false;
  const absl::StatusOr<pid_t> pid = Spawn(spec);
  Finished finished;
  int status = 0;
  bool ended = false;
  for (const int64_t end_ms = SystemClock().MonotonicMs() + limit_ms;
       pid.ok() && !ended && SystemClock().MonotonicMs() < end_ms; usleep(20'000)) {
    ended = waitpid(*pid, &status, WNOHANG) == *pid;
  }
  if (pid.ok() && !ended) {
    kill(-*pid, SIGKILL);  // Spawn gave it a process group of its own.
    waitpid(*pid, &status, 0);
  }
  if (ended) finished.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  finished.output = ReadAll(log);
  unlink(log.c_str());
  if (!pid.ok()) return pid.status();
  return finished;
}

absl::StatusOr<std::string> RunAndCapture(const std::vector<std::string>& argv) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "making a pipe");
  std::vector<std::string> arguments = argv;
  std::vector<char*> pointers = Pointers(&arguments);
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    execvp(pointers[0], pointers.data());
    _exit(127);
  }
  close(ends[1]);
  std::string output;
  char buffer[4096];
  for (ssize_t got; (got = read(ends[0], buffer, sizeof buffer)) > 0;) output.append(buffer, static_cast<size_t>(got));
  close(ends[0]);
  int status = 0;
  if (pid < 0 || waitpid(pid, &status, 0) != pid || (WIFEXITED(status) && WEXITSTATUS(status) == 127)) {
    return absl::NotFoundError(fmt::format("{} cannot be started", argv[0]));
  }
  return output;
}

std::vector<pid_t> FindByCookie(const std::string& cookie) {
  const std::string wanted = fmt::format("{}={}", kCookieVariable, cookie) + '\0';
  std::vector<pid_t> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const pid_t pid = static_cast<pid_t>(std::atoi(entry.path().filename().c_str()));
    if (pid <= 1 || pid == getpid()) continue;
    const std::string environment = '\0' + EnvironmentOf(entry.path());
    if (environment.find('\0' + wanted) != std::string::npos) found.push_back(pid);
  }
  return found;
}

std::string ProgramOf(pid_t pid) {
  std::error_code error;
  std::string path = fs::read_symlink(fmt::format("/proc/{}/exe", pid), error).string();
  // The kernel's mark for a program that was built anew since the process started.
  constexpr std::string_view kDeleted = " (deleted)";
  if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
  return path;
}

int SignalByCookie(const std::string& cookie, int signal) {
  const std::vector<pid_t> found = FindByCookie(cookie);
  for (const pid_t pid : found) kill(pid, signal);
  return static_cast<int>(found.size());
}

int KillByCookie(const std::string& cookie) {
  int total = 0;
  for (int tries = 0; tries < 100; ++tries) {
    const int found = SignalByCookie(cookie, SIGKILL);
    if (found == 0) break;
    total = std::max(total, found);
    usleep(10'000);
  }
  return total;
}

}  // namespace ridgeline
