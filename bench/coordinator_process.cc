// SPDX-License-Identifier: Apache-2.0
#include "bench/coordinator_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "common/file.h"
#include "common/status_macros.h"

namespace ridgeline {
namespace {

constexpr std::chrono::seconds kStartLimit(120);

}  // namespace

absl::StatusOr<std::unique_ptr<CoordinatorProcess>> CoordinatorProcess::Start(const std::string& program,
                                                                              const std::string& folder) {
  std::unique_ptr<CoordinatorProcess> process(new CoordinatorProcess(program, folder));
  RETURN_IF_ERROR(process->Launch());
  return process;
}

CoordinatorProcess::~CoordinatorProcess() {
  Kill();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

absl::Status CoordinatorProcess::Launch() {
  RETURN_IF_ERROR(MakeDirectories(folder_));
  const std::string file = folder_ + "/coordinator.json", log = folder_ + "/log";
  unlink(file.c_str());
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  std::vector<std::string> arguments = {program_, "--state", folder_, "--listen", "127.0.0.1:0", "--metrics", ""};
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const int error = posix_spawn(&pid_, program_.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return ErrnoStatus(error, fmt::format("cannot start {}", program_));
  const auto end = std::chrono::steady_clock::now() + kStartLimit;
  while (!std::filesystem::exists(file)) {
    if (std::chrono::steady_clock::now() > end || waitpid(pid_, nullptr, WNOHANG) == pid_)
      return absl::InternalError(fmt::format("{} did not start; see {}", program_, log));
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  ASSIGN_OR_RETURN(const std::string text, ReadFile(file, 1 << 16));
  address_ = nlohmann::json::parse(text).at("address").get<std::string>();
  return absl::OkStatus();
}

void CoordinatorProcess::Kill() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

absl::StatusOr<double> CoordinatorProcess::Restart() {
  Kill();
  const auto start = std::chrono::steady_clock::now();
  RETURN_IF_ERROR(Launch());
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::unique_ptr<v1::Coordinator::Stub> CoordinatorProcess::Connect() const {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetMaxReceiveMessageSize(64 << 20);
  return v1::Coordinator::NewStub(grpc::CreateCustomChannel(address_, grpc::InsecureChannelCredentials(), arguments));
}

double CoordinatorProcess::CpuSeconds() const {
  std::ifstream file(fmt::format("/proc/{}/stat", pid_));
  std::string text((std::istreambuf_iterator<char>(file)), {});
  std::istringstream fields(text.substr(std::min(text.size(), text.rfind(')') + 2)));
  std::string skipped;
  for (int i = 3; i < 14; ++i) fields >> skipped;
  double user = 0, system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

int64_t CoordinatorProcess::ResidentBytes() const { return StatusNumber("VmRSS:") * 1024; }
int64_t CoordinatorProcess::Threads() const { return StatusNumber("Threads:"); }

int64_t CoordinatorProcess::StatusNumber(const std::string& key) const {
  std::ifstream file(fmt::format("/proc/{}/status", pid_));
  for (std::string word; file >> word;) {
    int64_t number = 0;
    if (word == key && file >> number) return number;
  }
  return 0;
}

}  // namespace ridgeline
