// SPDX-License-Identifier: Apache-2.0
// How long commits take while snapshots of many jobs are written: the journal of a coordinator with that many jobs,
// into which threads commit changes of them. Prints a table, or with -o json one JSON object.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <thread>
#include <vector>

#include "common/number_option.h"
#include "coordinator/state/journal.h"
#include "coordinator/state/test_events.h"
#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace ridgeline {
namespace {

constexpr int kSweepChanges = 4;

struct Options {
  int jobs = 20'000;
  int threads = 4;
  int commits = 2'000;  // Of each thread.
  int slice_rows = 256;
  std::string folder = std::filesystem::temp_directory_path().string();
  std::string format = "table";
};

absl::StatusOr<std::unique_ptr<Journal>> Open(const std::string& folder, int slice_rows) {
  JournalOptions options;
  options.path = folder + "/journal.db";
  options.snapshot_slice_rows = slice_rows;
  return Journal::Open(options);
}

// A sweep: what changes its parent changes all of its jobs, and the next snapshot has to write them all.
v1::Event Changed(int number, int priority) {
  v1::Event event;
  event.mutable_job_changed()->set_job_id(JobId(number));
  event.mutable_job_changed()->set_priority(priority);
  return event;
}

std::vector<double> CommitMs(Journal& journal, const Options& options) {
  std::vector<double> all_ms(static_cast<size_t>(options.threads) * options.commits);
  std::vector<std::thread> threads;
  for (int t = 0; t < options.threads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < options.commits; ++i) {
        const auto start = std::chrono::steady_clock::now();
        if (!journal.Commit(Changed(2 + (t * options.commits + i) % options.jobs, i % 7)).ok()) std::abort();
        const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
        all_ms[static_cast<size_t>(t) * options.commits + i] = took.count();
      }
    });
  }
  for (int i = 0; i < kSweepChanges; ++i) {
    if (!journal.Commit(Changed(1, i)).ok()) std::abort();
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
  for (std::thread& thread : threads) thread.join();
  std::sort(all_ms.begin(), all_ms.end());
  return all_ms;
}

int Run(const Options& options) {
  const std::string folder = options.folder + "/ridgeline-journal-bench-" + std::to_string(getpid());
  std::filesystem::create_directories(folder);
  nlohmann::json result;
  {
    auto journal = Open(folder, options.slice_rows);
    if (!journal.ok() || !(*journal)->Commit(test::SubmittedSweep(1, options.jobs)).ok()) return 1;
    const std::vector<double> ms = CommitMs(**journal, options);
    const auto at = [&](double share) { return ms[static_cast<size_t>(share * static_cast<double>(ms.size() - 1))]; };
    result = {{"jobs", options.jobs}, {"commits", ms.size()}, {"p50_ms", at(0.5)},
              {"p99_ms", at(0.99)},   {"p999_ms", at(0.999)}, {"max_ms", ms.back()}};
  }
  std::filesystem::remove_all(folder);
  if (options.format == "json") {
    std::cout << result.dump() << "\n";
    return 0;
  }
  fmt::print("{} jobs, {} commits of {} threads: p50 {:.2f} ms, p99 {:.2f} ms, p99.9 {:.2f} ms, longest {:.1f} ms\n",
             options.jobs, result["commits"].get<int>(), options.threads, result["p50_ms"].get<double>(),
             result["p99_ms"].get<double>(), result["p999_ms"].get<double>(), result["max_ms"].get<double>());
  return 0;
}

}  // namespace
}  // namespace ridgeline

int main(int argc, char** argv) {
  ridgeline::Options options;
  CLI::App app("Times commits to the journal while snapshots are written.");
  app.add_option("--jobs", options.jobs)->check(ridgeline::IntegerFrom(1, 10'000'000))->capture_default_str();
  app.add_option("--threads", options.threads)->check(ridgeline::IntegerFrom(1, 1000))->capture_default_str();
  app.add_option("--commits", options.commits, "Of each thread")
      ->check(ridgeline::IntegerFrom(1, 10'000'000))
      ->capture_default_str();
  app.add_option("--slice-rows", options.slice_rows, "Of a snapshot, written between two commits")
      ->check(ridgeline::IntegerFrom(1, 1'000'000'000))
      ->capture_default_str();
  app.add_option("--folder", options.folder, "Where the journal is written")->capture_default_str();
  app.add_option("-o", options.format)->check(CLI::IsMember({"table", "json"}))->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return ridgeline::Run(options);
}
