// SPDX-License-Identifier: Apache-2.0
#include "frontier/run_program.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "common/file.h"
#include "common/status_macros.h"
#include "fmt/format.h"

extern char** environ;

namespace ridgeline {
namespace {

absl::StatusOr<pid_t> Start(std::vector<std::string>* arguments, const std::string& folder, int output_fd) {
  std::vector<char*> argv;
  for (std::string& argument : *arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output_fd, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output_fd, STDERR_FILENO);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return ErrnoStatus(error, fmt::format("starting {}", (*arguments)[0]));
  return pid;
}

std::string ReadToEnd(int fd) {
  std::string text;
  char buffer[1 << 14];
  for (;;) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(buffer, static_cast<size_t>(got));
  }
}

}  // namespace

absl::StatusOr<ProgramOutput> RunProgram(std::vector<std::string> arguments, const std::string& folder) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "making a pipe");
  const absl::StatusOr<pid_t> pid = Start(&arguments, folder, ends[1]);
  ::close(ends[1]);
  ProgramOutput output;
  if (pid.ok()) output.text = ReadToEnd(ends[0]);
  ::close(ends[0]);
  if (!pid.ok()) return pid.status();
  int status = 0;
  while (::waitpid(*pid, &status, 0) < 0) {
    if (errno != EINTR) return ErrnoStatus(errno, fmt::format("waiting for {}", arguments[0]));
  }
  if (WIFEXITED(status)) output.exit_code = WEXITSTATUS(status);
  return output;
}

}  // namespace ridgeline
