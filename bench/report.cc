// SPDX-License-Identifier: Apache-2.0
#include "bench/report.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <thread>

#include "common/file.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

double SecondsOf(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<long>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

// The value of the first "key : value" line of /proc/cpuinfo.
std::string CpuInfo(const std::string& key) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(key)) return line.substr(std::min(line.size(), line.find(':') + 2));
  return "unknown";
}

// The instruction sets that decide how fast our kernels are.
std::vector<std::string> Features() {
  const std::string flags = " " + CpuInfo("flags") + " ";
  std::vector<std::string> found;
  for (const char* name : {"avx2", "avx512f", "avx512_vnni", "avx512_vpopcntdq", "avx512_bf16", "amx_int8", "amx_bf16"})
    if (flags.find(fmt::format(" {} ", name)) != std::string::npos) found.push_back(name);
  return found;
}

}  // namespace

PairedSeconds MeasurePaired(const std::function<void()>& ours, const std::function<void()>& peer, int rounds) {
  ours();
  peer();
  std::vector<double> our_seconds, peer_seconds;
  for (int round = 0; round < rounds; ++round) {
    if (round % 2 == 0) our_seconds.push_back(SecondsOf(ours));
    peer_seconds.push_back(SecondsOf(peer));
    if (round % 2 == 1) our_seconds.push_back(SecondsOf(ours));
  }
  return {Median(our_seconds), Median(peer_seconds)};
}

absl::Status Report(const std::string& out_dir, const std::string& name, const std::vector<BenchRow>& rows) {
  const std::string cpu = CpuInfo("model name");
  nlohmann::json report = {
      {"machine", {{"cpu", cpu}, {"features", Features()}, {"cores", std::thread::hardware_concurrency()}}},
      {"rows", nlohmann::json::array()}};
  fmt::print("{} on {}\n{:<44} {:>10} {:>10} {:>8} {:>6}  {}\n", name, cpu, "work", "ours", "peer", "ratio", "goal",
             "unit");
  for (const BenchRow& row : rows) {
    nlohmann::json goal = row.goal > 0 ? nlohmann::json(row.goal) : nlohmann::json(),
                   limit = row.limit > 0 ? nlohmann::json(row.limit) : nlohmann::json();
    report["rows"].push_back({{"work", row.work},
                              {"ours", row.ours},
                              {"peer", row.peer},
                              {"peer_name", row.peer_name},
                              {"limit", limit},
                              {"ratio", row.ratio()},
                              {"better", row.higher_is_better ? "higher" : "lower"},
                              {"goal", goal},
                              {"unit", row.unit}});
    fmt::print("{:<44} {:>10.3f} {:>10.3f} {:>7.2f}x {:>6}  {} (peer: {}){}\n", row.work, row.ours, row.peer,
               row.ratio(), row.goal > 0 ? fmt::format("{}x", row.goal) : "", row.unit, row.peer_name,
               row.ratio() < row.goal ? "  missed" : "");
  }
  return WriteFileAtomically(fmt::format("{}/{}.json", out_dir, name), report.dump(2) + "\n");
}

int PrintJson(const absl::StatusOr<nlohmann::ordered_json>& result) {
  if (!result.ok()) return fmt::print(stderr, "{}\n", result.status().ToString()), 2;
  fmt::print("{}\n", result->dump());
  return 0;
}

}  // namespace ridgeline
