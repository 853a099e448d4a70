// SPDX-License-Identifier: Apache-2.0
// `ridgeline doctor`: what a working set-up needs, each with what to do if it is not so.
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <sstream>
#include <thread>

#include "cli/shared/exit_code.h"
#include "cli/shared/terminal.h"
#include "cli/shared/verb.h"
#include "cli/verbs/doctor_gpus.h"
#include "cli/verbs/verbs.h"
#include "common/file.h"
#include "common/print.h"
#include "device/build.h"
#include "device/gpus.h"
#include "energy/source.h"
#include "stack/mpirun.h"
#include "stack/process.h"

namespace ridgeline {
namespace {

struct DoctorOptions {};

Finding CheckProgram(const std::string& name) {
  const std::string path = ProgramDir() + "/" + name;
  if (access(path.c_str(), X_OK) == 0) return {Level::kOk, name, path, ""};
  return {Level::kFail, name, path + " is missing", "build it: `make build`"};
}

Finding CheckTool(const std::string& name, Level if_missing, const std::string& package, const std::string& use) {
  const std::string path = FindOnPath(name);
  if (!path.empty()) return {Level::kOk, name, path, ""};
  return {if_missing, name, "not on PATH; " + use, "apt-get install " + package};
}

// As `up` starts the ranks; each loads the worker with all its libraries.
Finding CheckRanks() {
  constexpr int64_t kLimit_ms = 60'000;
  const absl::Status status = TryMpirun({ProgramDir() + "/ridgeline-worker", "--version"}, kLimit_ms);
  if (status.ok()) return {Level::kOk, "two ranks", "mpirun starts them", ""};
  return {Level::kFail, "two ranks", std::string(status.message()),
          fmt::format("its own words say what it lacks; if they name a setting, look for OMPI_MCA_* and PMIX_MCA_* in "
                      "`env` and in ~/.openmpi; if `env -i PATH=\"$PATH\" HOME=\"$HOME\" {} -n 2 true` fails too, "
                      "reinstall openmpi-bin",
                      FindMpirun())};
}

Finding CheckStateDir(const StackPaths& paths) {
  const std::string probe = paths.state_dir + "/doctor.probe";
  const absl::Status status = WriteFileAtomically(probe, "x");
  std::error_code ignored;
  std::filesystem::remove(probe, ignored);
  if (status.ok()) return {Level::kOk, "state folder", paths.state_dir + " is writable", ""};
  return {Level::kFail, "state folder", std::string(status.message()), "name another one with --state DIR"};
}

Finding CheckDisk(const StackPaths& paths) {
  struct statvfs disk {};
  if (statvfs(paths.state_dir.c_str(), &disk) != 0) return {Level::kWarn, "disk", "size is unknown", "check `df`"};
  const double free_bytes = static_cast<double>(disk.f_bavail) * static_cast<double>(disk.f_frsize);
  const Level level = free_bytes < double(512 << 20) ? Level::kFail
                      : free_bytes < 5.0 * (1 << 30) ? Level::kWarn
                                                     : Level::kOk;
  return {level, "disk", HumanBytes(free_bytes) + " free for " + paths.state_dir,
          "make room, or use --state on a larger disk"};
}

Finding CheckCores() {
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const char* threads = std::getenv("OMP_NUM_THREADS");
  return {
      Level::kOk, "cores",
      fmt::format("{}, OMP_NUM_THREADS {} (`up` sets cores / ranks)", cores, threads == nullptr ? "unset" : threads),
      ""};
}

// Two OpenMP runtimes in one process fight over the cores.
Finding CheckOpenMp() {
  const absl::StatusOr<std::string> libraries = RunAndCapture({"ldd", ProgramDir() + "/ridgeline-worker"});
  if (!libraries.ok()) return {Level::kWarn, "OpenMP", "ldd cannot be started", "apt-get install libc-bin"};
  std::set<std::string> runtimes;
  std::istringstream lines(*libraries);
  for (std::string line; std::getline(lines, line);) {
    if (line.find("gomp") != std::string::npos || line.find("libomp") != std::string::npos ||
        line.find("libiomp") != std::string::npos) {
      const size_t start = line.find_first_not_of(" \t");
      runtimes.insert(line.substr(start, line.find(" (") - start));
    }
  }
  if (runtimes.size() > 1) {
    return {Level::kFail, "OpenMP",
            fmt::format("the worker loads {} runtimes: {}", runtimes.size(), fmt::join(runtimes, "; ")),
            "link the worker so that ldd shows one libgomp (docs/architecture.md)"};
  }
  return {Level::kOk, "OpenMP", runtimes.empty() ? "no runtime is loaded" : *runtimes.begin(), ""};
}

Finding CheckCoordinator(const Session& session) {
  const absl::StatusOr<Client> client = session.Connect({std::chrono::seconds(3), std::chrono::seconds(1)});
  const std::string remedy = "`ridgeline up` starts one here";
  if (!client.ok()) return {Level::kWarn, "coordinator", "not running", remedy};
  const absl::StatusOr<v1::Info> info = client->GetInfo();
  if (!info.ok()) return {Level::kWarn, "coordinator", "does not answer at " + client->address(), remedy};
  if (info->version() != RIDGELINE_VERSION) {
    return {Level::kWarn, "coordinator",
            fmt::format("version {} at {}, this is {}", info->version(), client->address(), RIDGELINE_VERSION),
            "`ridgeline down` and `ridgeline up`"};
  }
  return {Level::kOk, "coordinator",
          fmt::format("{}, worker groups {}, ranks {}", client->address(), info->groups(), info->ranks()), ""};
}

// Modelled joules are no fault; a counter that is there and cannot be used is worth a look.
Finding CheckEnergy() {
  const absl::StatusOr<std::unique_ptr<EnergyCounter>> counter = FindCounter();
  const bool is_as_it_can_be = counter.ok() || absl::IsNotFound(counter.status());
  return {is_as_it_can_be ? Level::kOk : Level::kWarn, "energy", DescribeEnergySource(counter), ""};
}

void Print(const Finding& finding, const Style& style) {
  const std::string mark = finding.level == Level::kOk     ? Paint("ok", Color::kGreen, style)
                           : finding.level == Level::kWarn ? Paint("warn", Color::kYellow, style)
                                                           : Paint("fail", Color::kRed, style);
  std::string line = fmt::format("{}  {}  {}", PadRight(mark, 4), PadRight(finding.what, 21), finding.detail);
  if (finding.level != Level::kOk && !finding.remedy.empty()) line += " -> " + finding.remedy;
  PrintOut("{}\n", line);
}

absl::StatusOr<int> RunDoctor(const Session& session, const DoctorOptions&) {
  ASSIGN_OR_RETURN(const StackPaths paths, session.Paths());
  std::vector<Finding> findings = {CheckProgram("ridgeline-coordinator"), CheckProgram("ridgeline-worker")};
  if (findings.back().level == Level::kOk) findings.push_back(CheckOpenMp());
  const bool has_worker = findings[1].level == Level::kOk;
  findings.push_back(CheckTool("mpirun", Level::kFail, "openmpi-bin", "it starts the ranks"));
  if (has_worker && findings.back().level == Level::kOk) findings.push_back(CheckRanks());
  findings.push_back(CheckTool("gnuplot", Level::kWarn, "gnuplot-nox", "`frontier plot` draws with it"));
  findings.push_back(CheckStateDir(paths));
  findings.push_back(CheckDisk(paths));
  findings.push_back(CheckCores());
  for (Finding& finding : GpuFindings(FindGpus(), CudaEnvironmentOfProcess(), BuiltWithCuda()))
    findings.push_back(std::move(finding));
  findings.push_back(CheckEnergy());
  findings.push_back(CheckCoordinator(session));
  if (!FindOnPath("prometheus").empty()) findings.push_back({Level::kOk, "prometheus", FindOnPath("prometheus"), ""});
  int exit_code = kExitOk;
  for (const Finding& finding : findings) {
    Print(finding, StyleOf(stdout));
    if (finding.level == Level::kFail) exit_code = kExitError;
  }
  return exit_code;
}

}  // namespace

void AddDoctorVerb(CLI::App* app, Session* session) {
  CLI::App* verb =
      AddVerb(app, "doctor", "Check programs, tools, disk and coordinator; says what to do", "ridgeline doctor");
  SetAction(verb, session, std::make_shared<DoctorOptions>(), RunDoctor);
}

}  // namespace ridgeline
