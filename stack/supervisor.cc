// SPDX-License-Identifier: Apache-2.0
// A loop around waitpid. Everything it starts carries a cookie in its environment, so that ranks whose mpirun was
// killed are found and ended before the next group starts.
#include "stack/supervisor.h"

#include <fmt/format.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <filesystem>

#include "common/file.h"
#include "common/status_macros.h"
#include "stack/mpirun.h"

namespace ridgeline {
namespace {

constexpr int64_t kTick_ms = 100;
constexpr int64_t kFirstDelay_ms = 200;
constexpr int64_t kLongestDelay_ms = 10'000;
constexpr int64_t kLongLife_ms = 30'000;
constexpr int64_t kWorkerGrace_ms = 20'000;  // To commit a checkpoint.
constexpr int64_t kCoordinatorGrace_ms = 4'000;
constexpr int64_t kAfterKill_ms = 2'000;

sigset_t SupervisedSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&set, signal);
  return set;
}

std::string DescribeEnd(int wait_status) {
  if (WIFSIGNALED(wait_status)) return fmt::format("was killed by signal {}", WTERMSIG(wait_status));
  return fmt::format("ended with exit code {}", WEXITSTATUS(wait_status));
}

}  // namespace

int64_t RestartBackoff::NextDelayMs(int64_t lived_ms) {
  if (lived_ms >= kLongLife_ms) delay_ms_ = 0;
  delay_ms_ = std::clamp(delay_ms_ * 2, kFirstDelay_ms, kLongestDelay_ms);
  return delay_ms_;
}

std::string WithPortOf(const std::string& address, const std::string& port_from) {
  return address.substr(0, address.rfind(':')) + port_from.substr(port_from.rfind(':'));
}

std::vector<std::string> WorkerArguments(const SupervisorOptions& options) {
  std::vector<std::string> arguments;
  if (options.hang_timeout_seconds)
    arguments.insert(arguments.end(), {"--hang-timeout", fmt::format("{}", *options.hang_timeout_seconds)});
  for (const std::string& label : options.labels) arguments.insert(arguments.end(), {"--label", label});
  return arguments;
}

// What a person's environment says of the coordinator that they usually call; ours has neither TLS nor tokens.
static bool IsOfAnotherCoordinator(const std::string& variable) {
  return variable.starts_with("RIDGELINE_TLS_") || variable.starts_with("RIDGELINE_TOKEN");
}

SpawnSpec WorkerSpawnSpec(const StackPaths& paths, const SupervisorOptions& options,
                          const std::string& coordinator_address) {
  std::vector<std::string> worker = {ProgramDir() + "/ridgeline-worker",
                                     "--coordinator",
                                     coordinator_address,
                                     "--group",
                                     "local",
                                     "--work-dir",
                                     paths.work_dir,
                                     "--device",
                                     options.device};
  for (const std::string& argument : WorkerArguments(options)) worker.push_back(argument);
  SpawnSpec spec = MpirunSpec(options.ranks, worker);
  spec.environment[kCookieVariable] = paths.WorkerCookie();
  spec.leaves_out = [](const std::string& name) { return IsOfAnotherLauncher(name) || IsOfAnotherCoordinator(name); };
  spec.log_path = paths.worker_log;
  return spec;
}

Supervisor::Supervisor(SupervisorOptions options)
    : options_(std::move(options)), paths_(options_.state_dir), clock_(SystemClock()) {
  coordinator_.what = "coordinator";
  worker_.what = "worker group";
}

absl::Status Supervisor::Run() {
  RETURN_IF_ERROR(MakeDirectories(paths_.work_dir));
  ASSIGN_OR_RETURN(const SupervisorLock lock, SupervisorLock::Acquire(paths_));
  const sigset_t signals = SupervisedSignals();
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  // Orphaned ranks become our children, so that they are reaped.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  start_unix_ms_ = clock_.WallUnixMs();
  KillByCookie(paths_.WorkerCookie());
  KillByCookie(paths_.CoordinatorCookie());
  std::error_code ignored;
  std::filesystem::remove(paths_.coordinator_file, ignored);
  const absl::Status status = Loop();
  if (!status.ok()) spdlog::error("{}", std::string(status.message()));
  Stop();
  std::filesystem::remove(paths_.supervisor_file, ignored);
  std::filesystem::remove(paths_.coordinator_file, ignored);
  spdlog::info("supervisor ends");
  return status;
}

absl::Status Supervisor::Loop() {
  RETURN_IF_ERROR(StartCoordinator());
  const sigset_t signals = SupervisedSignals();
  while (true) {
    const timespec tick{0, kTick_ms * 1'000'000};
    const int signal = sigtimedwait(&signals, nullptr, &tick);
    if (signal == SIGTERM || signal == SIGINT || signal == SIGHUP) return absl::OkStatus();
    if (address_.empty()) LearnAddress();
    ReapChildren();
    if (coordinator_.pid == 0 && address_.empty()) {
      return absl::UnavailableError(fmt::format("the coordinator did not start; see {}", paths_.coordinator_log));
    }
    RETURN_IF_ERROR(StartDueChildren());
  }
}

absl::Status Supervisor::StartDueChildren() {
  const int64_t now_ms = clock_.MonotonicMs();
  if (coordinator_.pid == 0 && now_ms >= coordinator_.start_at_ms) RETURN_IF_ERROR(StartCoordinator());
  const bool wants_worker = options_.ranks > 0 && !address_.empty();
  if (wants_worker && worker_.pid == 0 && now_ms >= worker_.start_at_ms) RETURN_IF_ERROR(StartWorker());
  return absl::OkStatus();
}

absl::Status Supervisor::StartCoordinator() {
  SpawnSpec spec;
  spec.argv = {ProgramDir() + "/ridgeline-coordinator",
               "--state",
               paths_.state_dir,
               "--listen",
               options_.listen,
               "--metrics",
               options_.metrics};
  if (options_.insecure) spec.argv.push_back("--insecure");
  spec.environment = {{kCookieVariable, paths_.CoordinatorCookie()}};
  spec.log_path = paths_.coordinator_log;
  ASSIGN_OR_RETURN(coordinator_.pid, Spawn(spec));
  coordinator_.started_ms = clock_.MonotonicMs();
  spdlog::info("coordinator started, pid {}", coordinator_.pid);
  WriteState();
  return absl::OkStatus();
}

absl::Status Supervisor::StartWorker() {
  // Ranks that outlived their mpirun would train on beside the new ones.
  if (const int strays = KillByCookie(paths_.WorkerCookie()); strays > 0) {
    spdlog::warn("ended {} stray processes of the last worker group", strays);
  }
  ASSIGN_OR_RETURN(worker_.pid, Spawn(WorkerSpawnSpec(paths_, options_, address_)));
  worker_.started_ms = clock_.MonotonicMs();
  spdlog::info("worker group of {} ranks started, mpirun has pid {}", options_.ranks, worker_.pid);
  WriteState();
  return absl::OkStatus();
}

void Supervisor::LearnAddress() {
  const absl::StatusOr<CoordinatorFile> file = ReadCoordinatorFile(paths_);
  if (!file.ok() || file->pid != coordinator_.pid) return;
  address_ = file->address;
  options_.listen = WithPortOf(options_.listen, file->address);
  if (!file->metrics_address.empty()) options_.metrics = WithPortOf(options_.metrics, file->metrics_address);
  spdlog::info("coordinator is ready at {}", address_);
}

void Supervisor::ReapChildren() {
  int wait_status = 0;
  for (pid_t pid; (pid = waitpid(-1, &wait_status, WNOHANG)) > 0;) {
    if (pid == coordinator_.pid) ChildDied(&coordinator_, wait_status);
    if (pid == worker_.pid) ChildDied(&worker_, wait_status);
  }
}

void Supervisor::ChildDied(Child* child, int wait_status) {
  child->pid = 0;
  if (child->stopping) {
    spdlog::info("{} {}", child->what, DescribeEnd(wait_status));
    return;
  }
  const int64_t now_ms = clock_.MonotonicMs();
  const int64_t delay_ms = child->backoff.NextDelayMs(now_ms - child->started_ms);
  child->start_at_ms = now_ms + delay_ms;
  ++child->restarts;
  spdlog::warn("{} {}; starting it again in {} ms", child->what, DescribeEnd(wait_status), delay_ms);
  WriteState();
}

void Supervisor::WriteState() {
  SupervisorFile file;
  file.pid = getpid();
  file.ranks = options_.ranks;
  file.coordinator_pid = coordinator_.pid;
  file.worker_pid = worker_.pid;
  file.coordinator_restarts = coordinator_.restarts;
  file.worker_restarts = worker_.restarts;
  file.start_unix_ms = start_unix_ms_;
  const absl::Status status = WriteSupervisorFile(paths_, file);
  if (!status.ok()) spdlog::warn("{}", std::string(status.message()));
}

void Supervisor::Stop() {
  coordinator_.stopping = worker_.stopping = true;
  // The worker first: it reports its last checkpoint to the coordinator.
  StopWorker();
  StopCoordinator();
}

void Supervisor::StopWorker() {
  // The ranks get the signal themselves: mpirun would leave them a second only.
  for (const pid_t pid : FindByCookie(paths_.WorkerCookie())) {
    if (pid != worker_.pid) kill(pid, SIGTERM);
  }
  if (worker_.pid != 0 && !ReapUntilGone(worker_, kWorkerGrace_ms)) {
    spdlog::warn("worker group did not end in {} ms", kWorkerGrace_ms);
    kill(worker_.pid, SIGTERM);
    ReapUntilGone(worker_, kAfterKill_ms);
  }
  KillByCookie(paths_.WorkerCookie());
  if (worker_.pid != 0) ReapUntilGone(worker_, kAfterKill_ms);
}

void Supervisor::StopCoordinator() {
  if (coordinator_.pid == 0) return;
  kill(coordinator_.pid, SIGTERM);
  if (ReapUntilGone(coordinator_, kCoordinatorGrace_ms)) return;
  spdlog::warn("coordinator did not end in {} ms", kCoordinatorGrace_ms);
  kill(coordinator_.pid, SIGKILL);
  ReapUntilGone(coordinator_, kAfterKill_ms);
}

bool Supervisor::ReapUntilGone(const Child& child, int64_t limit_ms) {
  const int64_t end_ms = clock_.MonotonicMs() + limit_ms;
  while (child.pid != 0 && clock_.MonotonicMs() < end_ms) {
    ReapChildren();
    usleep(20'000);
  }
  return child.pid == 0;
}

}  // namespace ridgeline
