// SPDX-License-Identifier: Apache-2.0
// What a coordinator on this machine does: durable submits beside what the disk can flush and gRPC can echo, reads,
// lists, a restart, and what waiting jobs, watchers and worker streams cost it. Prints a table, or JSON with -o json.
#include <fcntl.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "bench/coordinator_process.h"
#include "common/file.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "recipes/schema_hash.h"
#include "ridgeline/v1/worker.grpc.pb.h"

namespace ridgeline {
namespace {

using std::chrono::duration;
using std::chrono::steady_clock;

struct Options {
  std::string program, folder = "/tmp/ridgeline-coordinator-bench", output = "table";
  int clients = 64, jobs = 2'000, watchers = 50, sweep = 1'000, streams = 100, points = 10;
  double seconds = 5;
};

double SecondsSince(steady_clock::time_point start) { return duration<double>(steady_clock::now() - start).count(); }

struct Rates {
  double per_second = 0, p50_ms = 0, p99_ms = 0;
  int64_t calls = 0, failed = 0;
};

Rates Summary(std::vector<double> ms, double seconds, int64_t failed) {
  std::sort(ms.begin(), ms.end());
  Rates rates{.calls = static_cast<int64_t>(ms.size()), .failed = failed};
  if (ms.empty()) return rates;
  rates.per_second = static_cast<double>(ms.size()) / seconds;
  rates.p50_ms = ms[ms.size() / 2];
  rates.p99_ms = ms[ms.size() * 99 / 100];
  return rates;
}

// `call(client, stub, number)` from so many threads, each on a connection of its own, for some seconds or calls.
using Call = std::function<bool(v1::Coordinator::Stub&, int client, int64_t number)>;
Rates Drive(const CoordinatorProcess& coordinator, int clients, double seconds, int64_t max_calls, const Call& call) {
  std::vector<std::vector<double>> ms(static_cast<size_t>(clients));
  std::atomic<int64_t> next = 0, failed = 0;
  std::vector<std::thread> threads;
  const auto start = steady_clock::now();
  for (int client = 0; client < clients; ++client) {
    threads.emplace_back([&, client] {
      const auto stub = coordinator.Connect();
      while (SecondsSince(start) < seconds) {
        const int64_t number = next++;
        if (number >= max_calls) return;
        const auto begin = steady_clock::now();
        if (!call(*stub, client, number)) ++failed;
        ms[static_cast<size_t>(client)].push_back(SecondsSince(begin) * 1e3);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const double took = SecondsSince(start);
  std::vector<double> all;
  for (const auto& each : ms) all.insert(all.end(), each.begin(), each.end());
  return Summary(std::move(all), took, failed);
}

Rates TimeFlushes(const std::string& folder, double seconds) {
  const std::string path = folder + "/flushed";
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const std::string block(4096, 'x');
  std::vector<double> ms;
  const auto start = steady_clock::now();
  while (SecondsSince(start) < seconds) {
    const auto begin = steady_clock::now();
    if (write(fd, block.data(), block.size()) < 0 || fdatasync(fd) != 0) break;
    ms.push_back(SecondsSince(begin) * 1e3);
  }
  const double took = SecondsSince(start);
  close(fd);
  unlink(path.c_str());
  return Summary(std::move(ms), took, 0);
}

bool AskInfo(v1::Coordinator::Stub& stub, int, int64_t) {
  grpc::ClientContext context;
  v1::Info info;
  return stub.GetInfo(&context, v1::GetInfoRequest(), &info).ok();
}

v1::SubmitJobRequest SubmitOf(const std::string& name) {
  v1::SubmitJobRequest request;
  request.mutable_recipe()->set_name(name);
  request.mutable_recipe()->mutable_dataset()->set_path("data/none");
  request.mutable_recipe()->mutable_training()->set_steps(1'000'000);
  return request;
}

bool Submit(v1::Coordinator::Stub& stub, int client, int64_t number) {
  grpc::ClientContext context;
  v1::SubmitJobResponse response;
  return stub.SubmitJob(&context, SubmitOf(fmt::format("bench-{}-{}", client, number)), &response).ok();
}

bool Get(v1::Coordinator::Stub& stub, int64_t jobs, int64_t number) {
  grpc::ClientContext context;
  v1::GetJobRequest request;
  request.set_job(fmt::format("job-{}", 1 + number % std::max<int64_t>(1, jobs)));
  v1::Job job;
  return stub.GetJob(&context, request, &job).ok();
}

bool ListPage(v1::Coordinator::Stub& stub, int, int64_t) {
  grpc::ClientContext context;
  v1::ListJobsRequest request;
  request.set_omit_recipes(true);
  request.set_page_size(100);
  request.set_newest_first(true);
  v1::ListJobsResponse response;
  return stub.ListJobs(&context, request, &response).ok();
}

// Share of a core over some seconds in which others do what they do.
double CpuShare(const CoordinatorProcess& coordinator, double seconds) {
  const double before = coordinator.CpuSeconds();
  const auto start = steady_clock::now();
  std::this_thread::sleep_for(duration<double>(seconds));
  return (coordinator.CpuSeconds() - before) / SecondsSince(start);
}

// Watches of one sweep that nobody works on.
absl::StatusOr<nlohmann::ordered_json> TimeWatchers(const CoordinatorProcess& coordinator, const Options& options) {
  const auto stub = coordinator.Connect();
  v1::SubmitJobRequest request = SubmitOf("sweep");
  request.mutable_recipe()->mutable_sweep()->set_method("grid");
  v1::SweepValues& seeds = (*request.mutable_recipe()->mutable_sweep()->mutable_parameters())["training.seed"];
  for (int i = 1; i <= options.sweep; ++i) seeds.add_values(fmt::format("{}", i));
  v1::SubmitJobResponse response;
  {
    grpc::ClientContext context;
    const grpc::Status status = stub->SubmitJob(&context, request, &response);
    if (!status.ok()) return absl::InternalError(status.error_message());
  }
  const int64_t threads_before = coordinator.Threads(), bytes_before = coordinator.ResidentBytes();
  v1::WatchJobRequest watch;
  watch.set_job(response.job().id());
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::Job>>> streams;
  for (int i = 0; i < options.watchers; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    streams.push_back(stub->WatchJob(contexts.back().get(), watch));
    v1::Job job;
    if (!streams.back()->Read(&job)) return absl::InternalError(streams.back()->Finish().error_message());
  }
  nlohmann::ordered_json json = {{"watchers", options.watchers},
                                 {"sweep", options.sweep},
                                 {"cpu_cores", CpuShare(coordinator, options.seconds)},
                                 {"threads", coordinator.Threads() - threads_before},
                                 {"bytes", coordinator.ResidentBytes() - bytes_before}};
  for (const auto& context : contexts) context->TryCancel();
  return json;
}

// One group's stream, on a thread of its own: takes a job and reports its steps.
class BenchWorker {
 public:
  BenchWorker(const CoordinatorProcess& coordinator, int number, int points_per_second)
      : stub_(
            v1::WorkerGateway::NewStub(grpc::CreateChannel(coordinator.address(), grpc::InsecureChannelCredentials()))),
        stream_(stub_->Attach(&context_)),
        points_per_second_(points_per_second) {
    v1::WorkerMessage message;
    message.mutable_hello()->set_group_id(fmt::format("bench-{}", number));
    message.mutable_hello()->set_incarnation("1");
    message.mutable_hello()->set_ranks(1);
    message.mutable_hello()->set_recipe_schema(RecipeSchemaHash());
    stream_->Write(message);
    reader_ = std::thread([this] { Read(); });
    writer_ = std::thread([this] { Write(); });
  }
  ~BenchWorker() {
    stopping_ = true;
    writer_.join();
    context_.TryCancel();
    reader_.join();
  }
  void AskToStop() { stopping_ = true; }
  bool HasJob() const { return epoch_ != 0; }
  int64_t sent() const { return sent_; }
  int64_t acknowledged() const { return acknowledged_; }

 private:
  void Read() {
    for (v1::CoordinatorMessage message; stream_->Read(&message);) {
      if (message.has_ack()) ++acknowledged_;
      if (!message.has_assign() || epoch_ != 0) continue;
      job_id_ = message.assign().job_id();
      epoch_ = message.assign().epoch();
    }
  }
  void Write() {
    for (int64_t tick = 0; !stopping_; ++tick) {
      std::this_thread::sleep_for(std::chrono::seconds(1));
      v1::WorkerMessage message;
      message.mutable_heartbeat();
      stream_->Write(message);
      if (epoch_ == 0) continue;
      message.set_sequence(tick + 1);
      message.mutable_metrics()->set_job_id(job_id_);
      message.mutable_metrics()->set_epoch(epoch_);
      for (int i = 1; i <= points_per_second_; ++i) {
        v1::MetricPoint& point = *message.mutable_metrics()->add_points();
        point.set_step(tick * points_per_second_ + i);
        point.set_train_loss(3);
        point.set_tokens_per_second(1'000);
        point.set_step_seconds(0.1);
      }
      if (stream_->Write(message)) ++sent_;
    }
  }

  std::unique_ptr<v1::WorkerGateway::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::WorkerMessage, v1::CoordinatorMessage>> stream_;
  const int points_per_second_;
  std::string job_id_;  // Written before epoch_.
  std::atomic<int64_t> epoch_ = 0, sent_ = 0, acknowledged_ = 0;
  std::atomic<bool> stopping_ = false;
  std::thread reader_, writer_;
};

nlohmann::ordered_json TimeWorkers(const CoordinatorProcess& coordinator, const Options& options) {
  const int64_t bytes_before = coordinator.ResidentBytes();
  std::vector<std::unique_ptr<BenchWorker>> workers;
  for (int i = 0; i < options.streams; ++i)
    workers.push_back(std::make_unique<BenchWorker>(coordinator, i, options.points));
  const auto start = steady_clock::now();
  const auto has_job = [](const auto& worker) { return worker->HasJob(); };
  while (!std::all_of(workers.begin(), workers.end(), has_job) && SecondsSince(start) < 60)
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const double all_started = SecondsSince(start);
  const double cpu = CpuShare(coordinator, options.seconds);
  const int64_t bytes = coordinator.ResidentBytes() - bytes_before;
  int64_t sent = 0, acknowledged = 0;
  for (const auto& worker : workers) worker->AskToStop();
  for (const auto& worker : workers) {
    sent += worker->sent();
    acknowledged += worker->acknowledged();
  }
  return {{"streams", options.streams},
          {"points_per_second", options.streams * options.points},
          {"all_started_seconds", all_started},
          {"cpu_cores", cpu},
          {"bytes", bytes},
          {"batches_sent", sent},
          {"batches_behind", sent - acknowledged}};
}

nlohmann::ordered_json ToJson(const Rates& rates) {
  return {{"per_second", rates.per_second},
          {"p50_ms", rates.p50_ms},
          {"p99_ms", rates.p99_ms},
          {"calls", rates.calls},
          {"failed", rates.failed}};
}

std::string Line(const std::string& name, const nlohmann::ordered_json& figures) {
  std::string line = fmt::format("{:<18}", name);
  for (const auto& [key, value] : figures.items())
    line += value.is_number_float() ? fmt::format("  {} {:.3g}", key, value.get<double>())
                                    : fmt::format("  {} {}", key, value.get<int64_t>());
  return line;
}

// Each figure is printed when it is there, to standard error where standard output is for JSON.
class Report {
 public:
  explicit Report(std::ostream& progress) : progress_(progress) {}
  void Add(const std::string& name, nlohmann::ordered_json figures) {
    progress_ << Line(name, figures) << std::endl;
    json_[name] = std::move(figures);
  }
  const nlohmann::ordered_json& json() const { return json_; }

 private:
  std::ostream& progress_;
  nlohmann::ordered_json json_;
};

absl::Status Measure(const Options& options, Report* report) {
  ASSIGN_OR_RETURN(const auto coordinator, CoordinatorProcess::Start(options.program, options.folder));
  report->Add("flush 4 KiB", ToJson(TimeFlushes(options.folder, 1)));
  report->Add("echo", ToJson(Drive(*coordinator, options.clients, options.seconds, INT64_MAX, AskInfo)));
  const int64_t bytes_before = coordinator->ResidentBytes();
  const Rates submits = Drive(*coordinator, options.clients, 600, options.jobs, Submit);
  report->Add("submit", ToJson(submits));
  const int64_t bytes = coordinator->ResidentBytes() - bytes_before;
  report->Add("memory", {{"bytes_per_job", bytes / std::max<int64_t>(1, submits.calls)}});
  report->Add("queued, no group", {{"jobs", submits.calls}, {"cpu_cores", CpuShare(*coordinator, options.seconds)}});
  report->Add("get", ToJson(Drive(*coordinator, 1, options.seconds, INT64_MAX,
                                  [&](auto& stub, int, int64_t number) { return Get(stub, submits.calls, number); })));
  report->Add("list 100", ToJson(Drive(*coordinator, 1, options.seconds, INT64_MAX, ListPage)));
  ASSIGN_OR_RETURN(nlohmann::ordered_json watch, TimeWatchers(*coordinator, options));
  report->Add("watch", std::move(watch));
  ASSIGN_OR_RETURN(const double restart, coordinator->Restart());
  report->Add("restart", {{"jobs", submits.calls + options.sweep}, {"seconds", restart}});
  report->Add("workers", TimeWorkers(*coordinator, options));
  return absl::OkStatus();
}

int Run(int argc, char** argv) {
  Options options;
  CLI::App app("Times a coordinator on this machine.");
  app.add_option("program", options.program, "Path of ridgeline-coordinator")->required();
  app.add_option("--folder", options.folder, "On the disk to measure; removed afterwards")->capture_default_str();
  app.add_option("--clients", options.clients, "That submit at once")->capture_default_str();
  app.add_option("--jobs", options.jobs, "Submitted by them")->capture_default_str();
  app.add_option("--watchers", options.watchers, "Of one sweep")->capture_default_str();
  app.add_option("--sweep", options.sweep, "Its jobs")->capture_default_str();
  app.add_option("--streams", options.streams, "Worker groups")->capture_default_str();
  app.add_option("--points", options.points, "That each reports a second")->capture_default_str();
  app.add_option("--seconds", options.seconds, "Of each measurement")->capture_default_str();
  app.add_option("-o,--output", options.output)->check(CLI::IsMember({"table", "json"}))->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  Report report(options.output == "json" ? std::cerr : std::cout);
  if (const absl::Status status = Measure(options, &report); !status.ok()) {
    std::cerr << "coordinator_bench: " << status.message() << "\n";
    return 1;
  }
  if (options.output == "json") std::cout << report.json().dump(2) << "\n";
  return 0;
}

}  // namespace
}  // namespace ridgeline

int main(int argc, char** argv) { return ridgeline::Run(argc, argv); }
