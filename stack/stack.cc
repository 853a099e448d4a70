// SPDX-License-Identifier: Apache-2.0
// Files of the local stack.
#include "stack/stack.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/file.h"
#include "common/home.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr size_t kMaxFileBytes = 1 << 16;

absl::StatusOr<Json> ReadJsonObject(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxFileBytes));
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) {
    return absl::DataLossError(fmt::format("{} is not a JSON object; `ridgeline down` clears it away", path));
  }
  return json;
}

template <typename Number>
Number NumberOr0(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_number_integer() ? found->get<Number>() : Number{0};
}

std::string TextOrEmpty(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

absl::StatusOr<std::string> DefaultStateDir() {
  const absl::StatusOr<std::string> home = HomeFolder();
  if (home.ok()) return (fs::path(*home) / ".local/state/ridgeline").string();
  return absl::Status(home.status().code(),
                      fmt::format("{}; name the stack's folder with --state DIR or RIDGELINE_STATE",
                                  std::string(home.status().message())));
}

StackPaths::StackPaths(const std::string& dir) {
  std::error_code error;
  // One spelling for one folder, because the cookies are made of it.
  fs::path folder = fs::weakly_canonical(fs::absolute(dir, error), error);
  if (error) folder = fs::absolute(dir);
  if (folder.filename().empty()) folder = folder.parent_path();
  state_dir = folder.string();
  coordinator_file = (folder / "coordinator.json").string();
  coordinator_socket = (folder / "coordinator.sock").string();
  supervisor_file = (folder / "supervisor.json").string();
  supervisor_lock = (folder / "supervisor.lock").string();
  start_lock = (folder / "up.lock").string();
  supervisor_log = (folder / "supervisor.log").string();
  coordinator_log = (folder / "coordinator.log").string();
  worker_log = (folder / "worker.log").string();
  admin_token = (folder / "admin.token").string();
  work_dir = (folder / "work").string();
}

absl::StatusOr<CoordinatorFile> ReadCoordinatorFile(const StackPaths& paths) {
  ASSIGN_OR_RETURN(const Json json, ReadJsonObject(paths.coordinator_file));
  CoordinatorFile file;
  file.pid = NumberOr0<pid_t>(json, "pid");
  file.address = TextOrEmpty(json, "address");
  file.metrics_address = TextOrEmpty(json, "metrics_address");
  file.has_tls = json.value("tls", Json(false)) == Json(true);
  if (file.address.empty()) {
    return absl::DataLossError(
        fmt::format("{} holds no address; `ridgeline down` clears it away", paths.coordinator_file));
  }
  return file;
}

std::string UsableSocket(const StackPaths& paths) {
  const std::string& path = paths.coordinator_socket;
  const bool fits = path.size() < sizeof(sockaddr_un::sun_path);
  return fits && access(path.c_str(), R_OK | W_OK) == 0 ? path : std::string();
}

absl::StatusOr<SupervisorFile> ReadSupervisorFile(const StackPaths& paths) {
  ASSIGN_OR_RETURN(const Json json, ReadJsonObject(paths.supervisor_file));
  SupervisorFile file;
  file.pid = NumberOr0<pid_t>(json, "pid");
  file.ranks = NumberOr0<int>(json, "ranks");
  file.coordinator_pid = NumberOr0<pid_t>(json, "coordinator_pid");
  file.worker_pid = NumberOr0<pid_t>(json, "worker_pid");
  file.coordinator_restarts = NumberOr0<int>(json, "coordinator_restarts");
  file.worker_restarts = NumberOr0<int>(json, "worker_restarts");
  file.start_unix_ms = NumberOr0<int64_t>(json, "start_unix_ms");
  return file;
}

absl::Status WriteSupervisorFile(const StackPaths& paths, const SupervisorFile& file) {
  const Json json = {{"pid", file.pid},
                     {"ranks", file.ranks},
                     {"coordinator_pid", file.coordinator_pid},
                     {"worker_pid", file.worker_pid},
                     {"coordinator_restarts", file.coordinator_restarts},
                     {"worker_restarts", file.worker_restarts},
                     {"start_unix_ms", file.start_unix_ms}};
  return WriteFileAtomically(paths.supervisor_file, json.dump(2) + "\n");
}

absl::StatusOr<SupervisorLock> SupervisorLock::Acquire(const StackPaths& paths) {
  const int fd = open(paths.supervisor_lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return ErrnoStatus(errno, fmt::format("opening {}", paths.supervisor_lock));
  int lock_error = 0;
  // Tried a few times, because SupervisorIsAlive holds the lock for a moment.
  for (int tries = 0; tries < 10; ++tries) {
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) return SupervisorLock(fd);
    lock_error = errno;
    usleep(20'000);
  }
  close(fd);
  if (lock_error != EWOULDBLOCK) return ErrnoStatus(lock_error, fmt::format("locking {}", paths.supervisor_lock));
  return absl::AlreadyExistsError(fmt::format("a supervisor of {} is running", paths.state_dir));
}

SupervisorLock::~SupervisorLock() {
  if (fd_ >= 0) close(fd_);
}

bool SupervisorIsAlive(const StackPaths& paths) {
  const int fd = open(paths.supervisor_lock.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool free = flock(fd, LOCK_SH | LOCK_NB) == 0;
  close(fd);
  return !free;
}

absl::StatusOr<CoordinatorFile> FindCoordinator(const StackPaths& paths) {
  absl::StatusOr<CoordinatorFile> file = ReadCoordinatorFile(paths);
  if (file.ok()) return file;
  return absl::UnavailableError(
      fmt::format("no coordinator is running for {}; `ridgeline up` starts one here, --coordinator HOST:PORT or "
                  "RIDGELINE_COORDINATOR names another",
                  paths.state_dir));
}

std::string LogTail(const std::string& path, int lines) {
  std::ifstream file(path);
  std::deque<std::string> tail;
  for (std::string line; std::getline(file, line);) {
    tail.push_back(line);
    if (tail.size() > static_cast<size_t>(lines)) tail.pop_front();
  }
  std::string out;
  for (const std::string& line : tail) out += "    " + line + "\n";
  return out;
}

}  // namespace ridgeline
