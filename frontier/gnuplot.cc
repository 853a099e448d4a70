// SPDX-License-Identifier: Apache-2.0
#include "frontier/gnuplot.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "common/file.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "fmt/format.h"

extern char** environ;

namespace ridgeline {
namespace {

// A folder of our own that goes away with this object.
class ScratchFolder {
 public:
  static absl::StatusOr<std::unique_ptr<ScratchFolder>> Make() {
    std::string path = (std::filesystem::temp_directory_path() / "ridgeline-plot-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) return ErrnoStatus(errno, fmt::format("creating {}", path));
    return std::make_unique<ScratchFolder>(path);
  }
  explicit ScratchFolder(std::string path) : path_(std::move(path)) {}
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string File(const char* name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Starts gnuplot without a shell, in the scratch folder; what it says goes to its file "messages".
absl::StatusOr<int> RunGnuplot(const ScratchFolder& folder) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, folder.path().c_str());
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "messages", O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  std::string arguments[] = {"gnuplot", "--default-settings", "plot.gp"};
  char* argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(), nullptr};
  pid_t pid = 0;
  int error = ::posix_spawnp(&pid, "gnuplot", &actions, nullptr, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error == ENOENT)
    return absl::FailedPreconditionError("plots need gnuplot; install it (Debian: apt-get install gnuplot-nox)");
  if (error != 0) return ErrnoStatus(error, "starting gnuplot");
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return ErrnoStatus(errno, "waiting for gnuplot");
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

absl::StatusOr<std::string> GnuplotTerminalFor(const std::string& path) {
  std::string ending = std::filesystem::path(path).extension().string();
  if (ending == ".svg") return std::string("svg");
  if (ending == ".png") return std::string("pngcairo");
  return absl::InvalidArgumentError(
      fmt::format("'{}' ends with neither .svg nor .png; name the picture with one", path));
}

std::string GnuplotString(const std::string& text) {
  bool valid = Utf8ToCodePoints(text).ok();
  std::string quoted = "'";
  for (char c : text) {
    unsigned char byte = static_cast<unsigned char>(c);
    if (c == '\'')
      quoted += "’";
    else if (byte < 0x20 || byte == 0x7F)
      quoted += ' ';
    else
      quoted += byte >= 0x80 && !valid ? '?' : c;
  }
  return quoted + "'";
}

absl::Status DrawWithGnuplot(const std::string& script, const std::string& path) {
  ASSIGN_OR_RETURN(auto folder, ScratchFolder::Make());
  RETURN_IF_ERROR(WriteFileAtomically(folder->File("plot.gp"), script));
  ASSIGN_OR_RETURN(int exit_code, RunGnuplot(*folder));
  auto picture = ReadFile(folder->File(kGnuplotOutput));
  if (exit_code != 0 || !picture.ok() || picture->empty()) {
    std::string messages = ReadFile(folder->File("messages"), 1 << 20).value_or("");
    return absl::InternalError(fmt::format("gnuplot failed with exit code {}: {}", exit_code, messages));
  }
  return WriteFileAtomically(path, *picture);
}

}  // namespace ridgeline
