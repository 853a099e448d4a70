// SPDX-License-Identifier: Apache-2.0
// ridgeline-worker: one rank of a worker group. Started by mpirun or srun; rank 0 holds the stream to the coordinator
// and tells the others what to do.
#include <mpi.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "comm/mpi/mpi_communicator.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/host.h"
#include "common/memory.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "device/build.h"
#include "device/memory_meter.h"
#include "device/placement.h"
#include "fmt/format.h"
#include "net/channel.h"
#include "recipes/group_labels.h"
#include "recipes/schema_hash.h"
#include "spdlog/sinks/stdout_color_sinks.h"
#include "spdlog/spdlog.h"
#include "worker/exit_reason.h"
#include "worker/gpu_communicator.h"
#include "worker/hand_over.h"
#include "worker/rank_device.h"
#include "worker/rpc/coordinator_link.h"
#include "worker/train/collective_counts.h"
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
  std::optional<double> hang_timeout_seconds;
  std::string device = "auto";
  std::vector<std::string> labels;
  CallerCredentials credentials;
};

// How long collectives may take. In a step and between jobs all ranks do alike; elsewhere they may wait for one that
// works alone, exporting or measuring.
struct Patience {
  int64_t alike_ms = 60'000, alone_ms = 300'000;
};

Patience PatienceOf(const Flags& flags) {
  if (!flags.hang_timeout_seconds) return {};
  const auto timeout_ms = static_cast<int64_t>(*flags.hang_timeout_seconds * 1000);
  return {.alike_ms = timeout_ms, .alone_ms = timeout_ms};
}

void ParseFlags(CLI::App& app, Flags& flags) {
  app.set_version_flag("--version", RIDGELINE_VERSION);
  app.add_option("--coordinator", flags.coordinator, "Coordinator's HOST:PORT")
      ->envname("RIDGELINE_COORDINATOR")
      ->capture_default_str();
  app.add_option("--group", flags.group, "Name of this worker group (default: the host's name)");
  app.add_option("--work-dir", flags.work_dir, "Folder for checkpoints, seen by every group")
      ->envname("RIDGELINE_WORK_DIR")
      ->capture_default_str();
  app.add_option("--device", flags.device,
                 "What ranks compute on; auto: a GPU each where all ranks can have one, else CPUs")
      ->envname("RIDGELINE_DEVICE")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
      ->capture_default_str();
  app.add_option(
         "--hang-timeout", flags.hang_timeout_seconds,
         "Seconds after which a rank that does not come to a collective counts as hung (default: 60 in steps and "
         "between jobs, 300 where ranks may wait for one that works alone)")
      ->check(CLI::PositiveNumber);
  app.add_option("--label", flags.labels, "KEY=VALUE that jobs may ask for (resources.labels); repeatable");
  app.add_option("--tls-ca", flags.credentials.tls_ca,
                 "CA of the coordinator's certificate (PEM); without it the stream is not encrypted")
      ->envname("RIDGELINE_TLS_CA");
  app.add_option("--tls-cert", flags.credentials.tls_cert, "Certificate of this group (PEM), where one is asked for")
      ->envname("RIDGELINE_TLS_CERT");
  app.add_option("--tls-key", flags.credentials.tls_key, "Its private key (PEM)")->envname("RIDGELINE_TLS_KEY");
  app.add_option("--token-file", flags.credentials.token_file,
                 "File with the token to join with; without it RIDGELINE_TOKEN, if set, is the token")
      ->envname("RIDGELINE_TOKEN_FILE");
}

std::string NewIncarnation() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

using Labels = std::map<std::string, std::string>;

v1::Hello MakeHello(const Flags& flags, const Labels& labels, const Placement& placement) {
  v1::Hello hello;
  hello.set_group_id(flags.group.empty() ? HostName() : ToValidUtf8(flags.group));
  hello.mutable_labels()->insert(labels.begin(), labels.end());
  hello.set_recipe_schema(RecipeSchemaHash());
  hello.set_incarnation(NewIncarnation());
  hello.set_ranks(static_cast<int>(placement.devices.size()));
  hello.set_host(HostName());
  for (const RankDevice& device : placement.devices) *hello.add_devices() = DeviceMessage(device);
  hello.set_memory_bytes(int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE));
  hello.set_version(RIDGELINE_VERSION);
  return hello;
}

// Rank 0's view of a run: everything goes to the coordinator, and the log also to standard error.
class LinkObserver : public RunObserver {
 public:
  LinkObserver(CoordinatorLink& link, const Communicator& communicator, std::string job_id)
      : link_(link), communicator_(communicator), job_id_(std::move(job_id)) {}

  void OnMetrics(const v1::MetricPoint& point) override {
    link_.SendMetrics(point);
    link_.SetCollectives(CountsMessage(communicator_.counts()));
  }
  void OnCheckpoint(const v1::Checkpoint& checkpoint) override { Send(checkpoint, /*resumed=*/false); }
  void OnResumed(const v1::Checkpoint& checkpoint) override { Send(checkpoint, /*resumed=*/true); }
  void OnOthersMemory(int64_t bytes) override { link_.SetOthersMemory(bytes); }
  void OnLog(const v1::LogLine& line) override {
    spdlog::log(spdlog::level::from_str(line.level()), "{}: {}{}", job_id_,
                line.rank() == 0 ? "" : fmt::format("[rank {}] ", line.rank()), line.text());
    link_.SendLog(line);
  }
  StopRequest PollStop() override {
    if (link_.cancelled()) return StopRequest::kCancel;
    if (!terminating && !link_.preempted()) return StopRequest::kNone;
    if (!std::exchange(has_said_end_, true)) LogOfGroup("info", "asked to end: commits a checkpoint after this step");
    return StopRequest::kPreempt;
  }

  // Of this rank, after the run.
  void LogError(const std::string& text) { LogOfGroup("error", text); }

 private:
  void LogOfGroup(const char* level, const std::string& text) {
    v1::LogLine line;
    line.set_time_unix_ms(SystemClock().WallUnixMs());
    line.set_level(level);
    line.set_text(text);
    OnLog(line);
  }
  void Send(const v1::Checkpoint& checkpoint, bool resumed) {
    v1::CheckpointCommitted message;
    *message.mutable_checkpoint() = checkpoint;
    message.set_resumed(resumed);
    link_.SendCheckpoint(message);
  }

  CoordinatorLink& link_;
  const Communicator& communicator_;
  std::string job_id_;
  bool has_said_end_ = false;
};

// One rank of a group, from its first wait for work to its end.
class Server {
 public:
  Server(const Flags& flags, const RankDevice& device, const GpuMemoryMeter& gpu_memory, Communicator& communicator,
         CoordinatorLink* link)
      : work_dir_(flags.work_dir),
        patience_(PatienceOf(flags)),
        device_(device),
        gpu_memory_(gpu_memory),
        communicator_(communicator),
        link_(link) {}

  void Serve() {
    for (HandOver told = Next(); told.order != Order::kEnd; told = Next())
      if (told.order == Order::kAttempt) RunOne(told.assignment);
  }

 private:
  // What all ranks do next.
  HandOver Next() {
    communicator_.SetTimeout(patience_.alike_ms);
    absl::StatusOr<HandOver> told =
        HandOverFromRoot(link_ != nullptr ? WaitForWork() : HandOver{},
                         {.host_bytes = ResidentBytes(), .device_bytes = gpu_memory_.UsedBytes()}, communicator_);
    if (!told.ok()) AbandonGroup(told.status());
    if (link_ != nullptr) {
      link_->SetOthersMemory(told->others_memory_bytes);
      link_->SetOthersDeviceMemory(told->others_device_bytes);
      link_->SetCollectives(CountsMessage(communicator_.counts()));
    }
    return *std::move(told);
  }

  HandOver WaitForWork() {
    const auto roll_call = std::chrono::steady_clock::now() + kRollCallInterval;
    while (!terminating) {
      if (std::optional<v1::Assign> assignment = link_->NextAssignment(/*wait_ms=*/100))
        return {.order = Order::kAttempt, .assignment = assignment->SerializeAsString()};
      if (std::chrono::steady_clock::now() >= roll_call) return {.order = Order::kRollCall};
    }
    return {.order = Order::kEnd};
  }

  void RunOne(const std::string& bytes) {
    v1::Assign assignment;
    assignment.ParseFromString(bytes);
    std::optional<LinkObserver> observer;
    if (link_ != nullptr) observer.emplace(*link_, communicator_, assignment.job_id());
    RunOptions options{.work_dir = work_dir_, .observer = observer ? &*observer : nullptr, .groups = &groups_};
    options.device = device_;
    options.step_timeout_ms = patience_.alike_ms;
    communicator_.SetTimeout(patience_.alone_ms);
    const absl::StatusOr<RunResult> result = RunAttempt(assignment, communicator_, options);
    if (absl::IsDeadlineExceeded(result.status())) AbandonGroup(result.status());
    if (link_ != nullptr) Report(result, *observer);
    ReturnFreedMemory();
  }

  void Report(const absl::StatusOr<RunResult>& result, LinkObserver& observer) {
    if (!result.ok()) {
      observer.LogError(std::string(result.status().message()));
      link_->SendResult(ResultOf(result.status()));
      return;
    }
    v1::AttemptResult report = ResultOf(result->outcome, DetailOf(*result));
    if (result->point) *report.mutable_point() = *result->point;
    for (const v1::Artifact& artifact : result->artifacts) *report.add_artifacts() = artifact;
    link_->SendResult(std::move(report));
  }

  // With who it was that asked for the end.
  std::string DetailOf(const RunResult& result) const {
    if (result.outcome != v1::PREEMPTED) return result.detail;
    return terminating ? "the worker group was " + result.detail
                       : fmt::format("{}: {}", link_->preempt_reason(), result.detail);
  }

  // Ends the whole MPI job: after a hung collective no rank can be trusted to come along. What was running goes back to
  // the queue, if rank 0 can still say so: the others, which find out together with it, give it the time.
  [[noreturn]] void AbandonGroup(const absl::Status& status) {
    const std::string text = fmt::format("HUNG: {}", std::string(status.message()));
    spdlog::critical("{}", text);
    if (communicator_.rank() > 0) std::this_thread::sleep_for(kForRoot);
    if (link_ != nullptr && link_->has_attempt()) {
      link_->SendResult(HungResult(text, link_->cancelled()));
      link_->Flush(kLastWordsMs);
    }
    MPI_Abort(MPI_COMM_WORLD, 1);
    std::abort();
  }

  static constexpr auto kRollCallInterval = std::chrono::seconds(5);
  static constexpr int64_t kLastWordsMs = 3'000;
  static constexpr auto kForRoot = std::chrono::seconds(10);

  const std::string work_dir_;
  const Patience patience_;
  const RankDevice& device_;
  const GpuMemoryMeter& gpu_memory_;
  Communicator& communicator_;
  RankGroupsOfJobs groups_;
  CoordinatorLink* const link_;  // On rank 0 only.
};

// An assignment may have crossed our wish to end: it goes back to the queue at once.
void HandBackAssignments(CoordinatorLink& link) {
  while (link.NextAssignment(/*wait_ms=*/0))
    link.SendResult(ResultOf(v1::PREEMPTED, "the worker group was asked to end before it started"));
}

void Goodbye(CoordinatorLink& link) {
  HandBackAssignments(link);
  if (!link.Flush(/*wait_ms=*/5'000))
    spdlog::warn(
        "the coordinator did not acknowledge the last records; they are handed in when this group is started "
        "again, until it has counted the attempt as lost");
}

// The ranks of this host.
struct Node {
  int first_rank = 0;  // In the whole job: the same number on all of them, and on no other host.
  int ranks = 1;
};

Node FindNode(int rank) {
  Node node{.first_rank = rank};
  MPI_Comm ranks;
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &ranks);
  MPI_Comm_size(ranks, &node.ranks);
  MPI_Bcast(&node.first_rank, 1, MPI_INT, 0, ranks);
  MPI_Comm_free(&ranks);
  return node;
}

absl::StatusOr<Placement> Place(const Flags& flags, const Node& node, Communicator& communicator) {
  ASSIGN_OR_RETURN(const DeviceWish wish, ParseDeviceWish(flags.device));
  return PlaceGroup(OfferOfProcess(wish, node.first_rank, GpuSearch(), CudaEnvironmentOfProcess(), BuiltWithCuda()),
                    communicator);
}

// Rank 0 answers for the GPUs of its host, also while others are busy with a job; on other hosts each rank for its own.
std::vector<std::string> GpusToWatch(const Placement& placement, const Node& node, int rank) {
  std::vector<std::string> uuids;
  const bool is_on_roots_host = node.first_rank == 0;
  for (size_t other = 0; other < placement.devices.size(); ++other) {
    const bool is_own = static_cast<int>(other) == rank;
    const bool is_watched = is_on_roots_host ? rank == 0 && placement.nodes[other] == 0 : is_own;
    if (placement.devices[other].is_cuda && is_watched) uuids.push_back(placement.devices[other].uuid);
  }
  return uuids;
}

void SayPlacement(const Placement& placement, int rank) {
  const RankDevice& device = placement.devices[static_cast<size_t>(rank)];
  if (device.is_cuda) spdlog::info("computes on GPU {}: {}, {}", device.index, device.name, device.uuid);
  if (rank == 0 && !placement.why_cpu.empty()) spdlog::warn("the ranks compute on CPUs: {}", placement.why_cpu);
}

// mpirun hands SIGUSR1 on at once, and SIGTERM only after the time that it leaves ranks before SIGKILL
// (deploy/container/ridgeline-mpirun).
void CatchSignals() {
  struct sigaction action {};
  action.sa_handler = [](int) { terminating = true; };
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) sigaction(signal, &action, nullptr);
}

// For rank 0. What it cannot use there ends the group: the other ranks, which have none of these files, wait for it.
std::shared_ptr<grpc::Channel> ChannelOrAbort(const Flags& flags) {
  absl::StatusOr<std::shared_ptr<grpc::Channel>> channel =
      MakeChannel(flags.coordinator, WithEnvironment(flags.credentials));
  if (channel.ok()) return *std::move(channel);
  spdlog::critical("{}", std::string(channel.status().message()));
  MPI_Abort(MPI_COMM_WORLD, 2);
  std::abort();
}

// From MPI's start to its end; an error is every rank's.
absl::Status ServeGroup(const Flags& flags) {
  ASSIGN_OR_RETURN(const Labels labels, ParseGroupLabels(flags.labels));  // Before any rank waits for another.
  std::unique_ptr<CoordinatorLink> link;  // On rank 0 only; made when the group's devices are known.
  std::unique_ptr<Communicator> communicator = MakeMpiCommunicator(
      PatienceOf(flags).alone_ms, [&link] { return terminating || (link != nullptr && link->cancelled()); });
  const int rank = communicator->rank();
  spdlog::set_pattern(fmt::format("%Y-%m-%d %H:%M:%S.%e rank {} %^%l%$ %v", rank));
  CatchSignals();
  const Node node = FindNode(rank);
  UseComputeThreads(node.ranks);
  ASSIGN_OR_RETURN(const Placement placement, Place(flags, node, *communicator));
  SayPlacement(placement, rank);
  const RankDevice& device = placement.devices[static_cast<size_t>(rank)];
  UseRankDevice(device);
  ASSIGN_OR_RETURN(communicator, CommunicatorOf(device, std::move(communicator)));
  const GpuMemoryMeter gpu_memory(GpusToWatch(placement, node, rank));
  if (rank == 0) {
    LinkOptions options;
    options.device_memory_bytes = [&gpu_memory] { return gpu_memory.UsedBytes(); };
    const v1::Hello hello = MakeHello(flags, labels, placement);
    options.spool_path = SpoolPath(flags.work_dir, hello.group_id());
    link = std::make_unique<CoordinatorLink>(flags.coordinator, ChannelOrAbort(flags), hello, options);
  }
  Server(flags, device, gpu_memory, *communicator, link.get()).Serve();
  if (link) Goodbye(*link);
  link.reset();
  return absl::OkStatus();
}

int Run(int argc, char** argv) {
  KeepFreedMemory();
  Flags flags;
  CLI::App app("One rank of a Ridgeline worker group; start N of them with mpirun -n N or srun --mpi=pmix -n N.",
               "ridgeline-worker");
  ParseFlags(app, flags);
  CLI11_PARSE(app, argc, argv);
  flags.work_dir = std::filesystem::absolute(flags.work_dir).string();  // It is remembered beyond this process.
  int provided = 0, rank = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  spdlog::set_default_logger(spdlog::stderr_color_mt("worker"));
  const absl::Status status = ServeGroup(flags);
  if (!status.ok() && rank == 0) spdlog::critical("{}", std::string(status.message()));
  if (absl::IsDeadlineExceeded(status)) MPI_Abort(MPI_COMM_WORLD, 1);  // A rank has not come, and would not end either.
  MPI_Finalize();
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace ridgeline

int main(int argc, char** argv) { return ridgeline::Run(argc, argv); }
