// SPDX-License-Identifier: Apache-2.0
// `ridgeline up`: starts the local stack in the background and waits until it can take jobs.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <thread>
#include <utility>

#include "cli/shared/exit_code.h"
#include "cli/shared/verb.h"
#include "cli/verbs/verbs.h"
#include "common/file.h"
#include "common/interrupt.h"
#include "common/number_option.h"
#include "common/print.h"
#include "common/status_macros.h"
#include "device/build.h"
#include "device/placement.h"
#include "recipes/group_labels.h"
#include "stack/mpirun.h"
#include "stack/process.h"
#include "stack/supervisor.h"

namespace ridgeline {
namespace {

using std::chrono::milliseconds;

constexpr int64_t kReadyLimit_ms = 60'000;
constexpr int kWorkerStarts = 3;  // After so many that failed, the next will hardly do better.

// A rank for each GPU that this build can use; without one, the cores.
int DefaultRanks(const RankOffer& offer) {
  if (!offer.gpus.empty()) return static_cast<int>(offer.gpus.size());
  return static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1U, 2U));
}

struct UpOptions {
  std::optional<int> ranks;
  SupervisorOptions supervisor;
};

absl::Status CheckPrograms(int ranks) {
  std::vector<std::string> programs = {"ridgeline-coordinator"};
  if (ranks > 0) programs.push_back("ridgeline-worker");
  for (const std::string& program : programs) {
    const std::string path = ProgramDir() + "/" + program;
    if (access(path.c_str(), X_OK) != 0) {
      return absl::InternalError(fmt::format("{} is missing; build it (`make build`){}", path,
                                             ranks > 0 ? ", or start without a worker group (`--ranks 0`)" : ""));
    }
  }
  if (ranks > 0 && FindMpirun().empty()) {
    return absl::InternalError("mpirun is not on PATH; install Open MPI (`apt-get install openmpi-bin`)");
  }
  return absl::OkStatus();
}

// The ranks would find out alike, again at each of their starts.
absl::Status CheckDevices(const RankOffer& offer, int ranks) {
  if (ranks == 0) return absl::OkStatus();
  const absl::Status status = PlaceRanks(std::vector<RankOffer>(static_cast<size_t>(ranks), offer)).status();
  return absl::IsFailedPrecondition(status) ? absl::InternalError(status.message()) : status;  // Of this machine.
}

absl::StatusOr<pid_t> StartSupervisor(const StackPaths& paths, const SupervisorOptions& options) {
  SpawnSpec spec;
  spec.argv = {
      ProgramPath(), "--state",      paths.state_dir, "supervise",     "--ranks",  fmt::format("{}", options.ranks),
      "--listen",    options.listen, "--metrics",     options.metrics, "--device", options.device};
  if (options.insecure) spec.argv.push_back("--insecure");
  for (const std::string& argument : WorkerArguments(options)) spec.argv.push_back(argument);
  spec.log_path = paths.supervisor_log;
  spec.detach = true;
  return Spawn(spec);
}

// The ranks of the group that the supervisor started, as the coordinator sees them.
int ConnectedRanks(const Client& client) {
  const absl::StatusOr<v1::ListWorkersResponse> workers = client.ListWorkers();
  if (!workers.ok()) return 0;
  for (const v1::WorkerGroup& group : workers->groups()) {
    if (group.id() == "local" && group.state() != v1::UNREACHABLE) return group.ranks();
  }
  return 0;
}

// Fails early when the supervisor has ended, which it does only if the coordinator never started.
absl::Status CheckSupervisor(const StackPaths& paths, pid_t supervisor) {
  const bool ended = supervisor > 0 ? waitpid(supervisor, nullptr, WNOHANG) == supervisor : !SupervisorIsAlive(paths);
  if (!ended) return absl::OkStatus();
  return absl::InternalError(fmt::format("the coordinator did not start; the last lines of {}:\n{}",
                                         paths.coordinator_log, LogTail(paths.coordinator_log, 5)));
}

int WorkerStarts(const StackPaths& paths) {
  const absl::StatusOr<SupervisorFile> supervisor = ReadSupervisorFile(paths);
  return supervisor.ok() ? supervisor->worker_restarts : 0;
}

absl::Status WaitUntilReady(const StackPaths& paths, int ranks, pid_t supervisor) {
  const int64_t end_ms = SystemClock().MonotonicMs() + kReadyLimit_ms;
  std::optional<Client> client;
  const int starts_before = WorkerStarts(paths);
  bool ranks_fail = false;
  while (SystemClock().MonotonicMs() < end_ms && !ranks_fail) {
    RETURN_IF_ERROR(CheckSupervisor(paths, supervisor));
    const absl::StatusOr<CoordinatorFile> file = ReadCoordinatorFile(paths);
    if (file.ok() && !client.has_value()) {
      ASSIGN_OR_RETURN(const std::shared_ptr<grpc::Channel> channel, MakeChannel(file->address));
      client.emplace(file->address, channel, CallPolicy{milliseconds(2'000), milliseconds(0)});
    }
    if (client.has_value() && client->GetInfo().ok() && (ranks == 0 || ConnectedRanks(*client) > 0)) {
      return absl::OkStatus();
    }
    ranks_fail = WorkerStarts(paths) - starts_before > kWorkerStarts;
    if (!SleepUnlessInterrupted(milliseconds(100))) return absl::CancelledError("detached; `ridgeline down` stops it");
  }
  const std::string log = client.has_value() ? paths.worker_log : paths.coordinator_log;
  return absl::DeadlineExceededError(
      fmt::format("{} did not come up {} and goes on trying (`ridgeline down` stops it); {}the last lines of {}:\n{}",
                  client.has_value() ? "the worker group" : "the coordinator",
                  ranks_fail ? "in several starts" : fmt::format("within {} s", kReadyLimit_ms / 1000),
                  client.has_value() ? "`ridgeline doctor` says what is wrong with mpirun or the worker; " : "", log,
                  LogTail(log, 20)));
}

// Held while a stack is being started: who comes second waits, and joins what the first has started.
class StartLock {
 public:
  static absl::StatusOr<StartLock> Wait(const StackPaths& paths) {
    const int fd = open(paths.start_lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return ErrnoStatus(errno, fmt::format("cannot open {}", paths.start_lock));
    StartLock lock(fd);
    const int64_t end_ms = SystemClock().MonotonicMs() + 2 * kReadyLimit_ms;
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK && errno != EINTR)
        return ErrnoStatus(errno, fmt::format("cannot lock {}", paths.start_lock));
      if (SystemClock().MonotonicMs() >= end_ms) {
        return absl::DeadlineExceededError(
            fmt::format("another `ridgeline up` has been starting the stack of {} for {} s", paths.state_dir,
                        2 * kReadyLimit_ms / 1000));
      }
      if (!SleepUnlessInterrupted(milliseconds(50))) return absl::CancelledError("detached");
    }
    return lock;
  }
  StartLock(StartLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  StartLock& operator=(StartLock&&) = delete;
  ~StartLock() {
    if (fd_ >= 0) close(fd_);
  }

 private:
  explicit StartLock(int fd) : fd_(fd) {}
  int fd_;
};

absl::Status PrintStack(const StackPaths& paths) {
  ASSIGN_OR_RETURN(const CoordinatorFile coordinator, ReadCoordinatorFile(paths));
  ASSIGN_OR_RETURN(const SupervisorFile supervisor, ReadSupervisorFile(paths));
  PrintOut("coordinator  {}\n", coordinator.address);
  if (!coordinator.metrics_address.empty()) PrintOut("metrics      http://{}/metrics\n", coordinator.metrics_address);
  PrintOut("ranks        {}\n", supervisor.ranks);
  PrintOut("state        {}\n", paths.state_dir);
  return absl::OkStatus();
}

absl::StatusOr<int> RunUp(const Session& session, const UpOptions& options) {
  ASSIGN_OR_RETURN(const StackPaths paths, session.Paths());
  SupervisorOptions supervisor = options.supervisor;
  RETURN_IF_ERROR(ParseGroupLabels(supervisor.labels).status());
  ASSIGN_OR_RETURN(const DeviceWish wish, ParseDeviceWish(supervisor.device));
  const RankOffer offer = OfferOfProcess(wish, /*node=*/0, GpuSearch(), CudaEnvironmentOfProcess(), BuiltWithCuda());
  supervisor.ranks = options.ranks.value_or(DefaultRanks(offer));
  RETURN_IF_ERROR(MakeDirectories(paths.state_dir));
  CatchInterrupts();
  ASSIGN_OR_RETURN(const StartLock start_lock, StartLock::Wait(paths));
  if (SupervisorIsAlive(paths)) {
    const absl::StatusOr<SupervisorFile> running = ReadSupervisorFile(paths);
    const int ranks = running.ok() ? running->ranks : supervisor.ranks;
    RETURN_IF_ERROR(WaitUntilReady(paths, ranks, 0));
    PrintErr("ridgeline: already running\n");
    if (options.ranks.has_value() && *options.ranks != ranks) {
      PrintErr("ridgeline: with {} ranks, not {}; `ridgeline down` first to change that\n", ranks, *options.ranks);
    }
    RETURN_IF_ERROR(PrintStack(paths));
    return kExitOk;
  }
  RETURN_IF_ERROR(CheckDevices(offer, supervisor.ranks));
  RETURN_IF_ERROR(CheckPrograms(supervisor.ranks));
  PrintErr("ridgeline: starting a coordinator and {} ranks\n", supervisor.ranks);
  std::error_code ignored;
  std::filesystem::remove(paths.coordinator_file, ignored);
  ASSIGN_OR_RETURN(const pid_t pid, StartSupervisor(paths, supervisor));
  RETURN_IF_ERROR(WaitUntilReady(paths, supervisor.ranks, pid));
  RETURN_IF_ERROR(PrintStack(paths));
  return kExitOk;
}

}  // namespace

void AddUpVerb(CLI::App* app, Session* session) {
  auto options = std::make_shared<UpOptions>();
  CLI::App* verb = AddVerb(app, "up", "Start a coordinator and a worker group on this machine; safe to call twice",
                           "ridgeline up --ranks 2");
  verb->add_option(
          "--ranks", options->ranks,
          "Ranks of the worker group (default: the GPUs; without one the cores, at most 2); 0: coordinator only")
      ->check(IntegerFrom(0, kMaxStackRanks))
      ->type_name("NUMBER");
  verb->add_option("--device", options->supervisor.device,
                   "What they compute on; auto (default): a GPU each where all can have one, else the cores")
      ->envname("RIDGELINE_DEVICE")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
      ->type_name("DEVICE");
  verb->add_option("--hang-timeout", options->supervisor.hang_timeout_seconds,
                   "Seconds after which a rank that does not come to a collective counts as hung (default: 60 in steps "
                   "and between jobs, 300 where ranks may wait for one that works alone); a recipe's "
                   "recovery.hang_timeout goes first")
      ->check(NumberFrom(kMinHangTimeoutSeconds, kMaxHangTimeoutSeconds))
      ->type_name("SECONDS");
  verb->add_option("--label", options->supervisor.labels,
                   "A label of the worker group, which jobs may ask for (resources.labels); repeatable")
      ->type_name("KEY=VALUE");
  verb->add_option("--listen", options->supervisor.listen,
                   "The coordinator's address (default 127.0.0.1:7117); port 0: any free")
      ->type_name("HOST:PORT");
  verb->add_option("--metrics", options->supervisor.metrics, "Its /metrics (default 127.0.0.1:7118); port 0: any free")
      ->type_name("HOST:PORT");
  verb->add_flag("--insecure", options->supervisor.insecure,
                 "Allow listening beyond this machine, without TLS and tokens");
  SetAction(verb, session, options, RunUp);
}

}  // namespace ridgeline
