// SPDX-License-Identifier: Apache-2.0
// ridgeline-worker: one rank of a worker group. Started by mpirun or srun; rank 0 holds the stream to the coordinator
// and tells the others what to do.
#include <mpi.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <thread>

#include "common/clock.h"
#include "common/file.h"
#include "common/utf8.h"
#include "fmt/format.h"
#include "spdlog/sinks/stdout_color_sinks.h"
#include "spdlog/spdlog.h"
#include "worker/comm/communicator.h"
#include "worker/rpc/coordinator_link.h"
#include "worker/train/freed_memory.h"
#include "worker/train/threads.h"
#include "worker/train/trainer.h"

namespace ridgeline {
namespace {

std::atomic<bool> terminating{false};

struct Flags {
  std::string coordinator = "127.0.0.1:7117";
  std::string group;
  std::string work_dir = "ridgeline-work";
  double hang_timeout_seconds = 300;
};

void ParseFlags(CLI::App& app, Flags& flags) {
  app.set_version_flag("--version", RIDGELINE_VERSION);
  app.add_option("--coordinator", flags.coordinator, "Coordinator's HOST:PORT")
      ->envname("RIDGELINE_COORDINATOR")
      ->capture_default_str();
  app.add_option("--group", flags.group, "Name of this worker group (default: the host's name)");
  app.add_option("--work-dir", flags.work_dir, "Folder for checkpoints, seen by every group")
      ->envname("RIDGELINE_WORK_DIR")
      ->capture_default_str();
  app.add_option("--hang-timeout", flags.hang_timeout_seconds, "Seconds after which a collective counts as hung")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
}

std::string HostName() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

std::string NewIncarnation() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

v1::Hello MakeHello(const Flags& flags, int ranks) {
  v1::Hello hello;
  hello.set_group_id(ToValidUtf8(flags.group.empty() ? HostName() : flags.group));
  hello.set_incarnation(NewIncarnation());
  hello.set_ranks(ranks);
  hello.set_host(ToValidUtf8(HostName()));
  for (int i = 0; i < ranks; ++i) hello.add_devices("cpu");
  hello.set_memory_bytes(int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE));
  hello.set_version(RIDGELINE_VERSION);
  return hello;
}

// Rank 0's view of a run: everything goes to the coordinator, and the log also to standard error.
class LinkObserver : public RunObserver {
 public:
  LinkObserver(CoordinatorLink& link, std::string job_id) : link_(link), job_id_(std::move(job_id)) {}

  void OnMetrics(const v1::MetricPoint& point) override { link_.SendMetrics(point); }
  void OnCheckpoint(const v1::Checkpoint& checkpoint) override { link_.SendCheckpoint(checkpoint); }
  void OnLog(const std::string& level, const std::string& text) override {
    spdlog::log(spdlog::level::from_str(level), "{}: {}", job_id_, text);
    v1::LogLine line;
    line.set_time_unix_ms(SystemClock().WallUnixMs());
    line.set_level(level);
    line.set_text(text);
    link_.SendLog(line);
  }
  StopRequest PollStop() override {
    if (link_.cancelled()) return StopRequest::kCancel;
    return terminating ? StopRequest::kPreempt : StopRequest::kNone;
  }

 private:
  CoordinatorLink& link_;
  std::string job_id_;
};

// Ends the whole MPI job at once: after a hung collective no rank can be trusted to come along.
[[noreturn]] void AbandonGroup(const absl::Status& status) {
  spdlog::critical("{}", std::string(status.message()));
  MPI_Abort(MPI_COMM_WORLD, 1);
  std::abort();
}

void ReportOutcome(const absl::StatusOr<RunResult>& result, LinkObserver& observer, CoordinatorLink& link) {
  if (result.ok()) {
    link.SendResult(result->outcome, result->detail, result->outcome == v1::COMPLETED ? &result->point : nullptr);
    return;
  }
  observer.OnLog("error", std::string(result.status().message()));
  link.SendResult(IsNoRoom(result.status()) ? v1::NO_ROOM : v1::ERROR, std::string(result.status().message()), nullptr);
}

// An assignment for all ranks; empty ends the group.
std::string WaitForWork(CoordinatorLink& link) {
  while (!terminating) {
    if (std::optional<v1::Assign> assignment = link.NextAssignment(/*wait_ms=*/100))
      return assignment->SerializeAsString();
  }
  return "";
}

// An assignment may have crossed our wish to end: it goes back to the queue at once.
void HandBackAssignments(CoordinatorLink& link) {
  while (link.NextAssignment(/*wait_ms=*/0))
    link.SendResult(v1::PREEMPTED, "the worker group was asked to end before it started", nullptr);
}

int Serve(const Flags& flags, Communicator& communicator) {
  std::unique_ptr<CoordinatorLink> link;
  if (communicator.rank() == 0)
    link = std::make_unique<CoordinatorLink>(flags.coordinator, MakeHello(flags, communicator.size()));
  for (;;) {
    std::string bytes = link ? WaitForWork(*link) : "";
    if (absl::Status status = communicator.BroadcastFromRoot(&bytes, "assignment"); !status.ok()) AbandonGroup(status);
    if (bytes.empty()) break;
    v1::Assign assignment;
    assignment.ParseFromString(bytes);
    std::optional<LinkObserver> observer;
    if (link) observer.emplace(*link, assignment.job_id());
    RunOptions options{.work_dir = flags.work_dir, .observer = observer ? &*observer : nullptr};
    absl::StatusOr<RunResult> result = RunAttempt(assignment, communicator, options);
    if (result.status().code() == absl::StatusCode::kDeadlineExceeded) AbandonGroup(result.status());
    if (link) ReportOutcome(result, *observer, *link);
    ReturnFreedMemory();
  }
  if (link) HandBackAssignments(*link);
  if (link && !link->Flush(/*wait_ms=*/5'000))
    spdlog::warn("the coordinator did not acknowledge the last records; it will count the attempt as lost");
  return 0;
}

int Run(int argc, char** argv) {
  KeepFreedMemory();
  Flags flags;
  CLI::App app("One rank of a Ridgeline worker group; start N of them with mpirun -n N or srun --mpi=pmix -n N.",
               "ridgeline-worker");
  ParseFlags(app, flags);
  CLI11_PARSE(app, argc, argv);
  flags.work_dir = std::filesystem::absolute(flags.work_dir).string();  // It is remembered beyond this process.
  int provided = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  spdlog::set_default_logger(spdlog::stderr_color_mt("worker"));
  std::unique_ptr<Communicator> communicator =
      MakeMpiCommunicator(static_cast<int64_t>(flags.hang_timeout_seconds * 1000), terminating);
  spdlog::set_pattern(fmt::format("%Y-%m-%d %H:%M:%S.%e rank {} %^%l%$ %v", communicator->rank()));
  struct sigaction action {};
  action.sa_handler = [](int) { terminating = true; };
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  MPI_Comm node;
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
  int ranks_on_node = 1;
  MPI_Comm_size(node, &ranks_on_node);
  UseComputeThreads(ranks_on_node);
  int status = Serve(flags, *communicator);
  MPI_Finalize();
  return status;
}

}  // namespace
}  // namespace ridgeline

int main(int argc, char** argv) { return ridgeline::Run(argc, argv); }
