// SPDX-License-Identifier: Apache-2.0
#include "import/pip_download.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>
#include <sstream>
#include <vector>

#include "common/file.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "fmt/format.h"

extern char** environ;

namespace ridgeline {
namespace {

constexpr char kInstallPip[] =
    "models are fetched by python3 and pip; install them (Debian: apt-get install python3-pip)";

// The exit code of a program whose output goes to `log_path`. FAILED_PRECONDITION if it is not there.
absl::StatusOr<int> RunToEnd(std::vector<std::string> arguments, const std::string& log_path) {
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return absl::FailedPreconditionError(kInstallPip);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return ErrnoStatus(errno, "waiting for pip");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// The last line that pip marked as an error, else its last line.
std::string Reason(const std::string& log) {
  std::istringstream lines(log);
  std::string last, marked;
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty()) last = line;
    if (line.starts_with("ERROR: ")) marked = line.substr(std::string_view("ERROR: ").size());
  }
  return ToValidUtf8(marked.empty() ? last : marked);
}

}  // namespace

absl::Status PipDownload(std::string_view requirement, const std::string& folder) {
  const std::string log_path = folder + "/pip.log";
  ASSIGN_OR_RETURN(const int exit_code,
                   RunToEnd({"python3", "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir", "--no-input",
                             "--disable-pip-version-check", "--dest", folder, std::string(requirement)},
                            log_path));
  if (exit_code == 0) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string log, ReadFile(log_path));
  if (exit_code == 127 || log.find("No module named pip") != std::string::npos)
    return absl::FailedPreconditionError(kInstallPip);
  return absl::UnavailableError(fmt::format("pip could not fetch {}: {}", requirement, Reason(log)));
}

}  // namespace ridgeline
