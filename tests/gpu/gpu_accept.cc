// SPDX-License-Identifier: Apache-2.0
// Whether the trainer does on this machine's GPU what it does on the CPU, and how fast. A word says what to check, and
// each check prints a line of JSON: {"check": ..., "ok": ..., figures}; tools/gpu_accept.sh makes a table of all. The
// exit status is 1 where one is not ok, and 77 where there is no GPU or this build has no CUDA. With --device cpu
// everything runs on the CPU, composed operations in the GPU's place, which is how this program itself is tried.
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <string>

#include "device/build.h"
#include "device/gpus.h"
#include "tests/gpu/trainings.h"
#include "worker/train/freed_memory.h"
#include "worker/train/threads.h"

namespace ridgeline {
namespace {

constexpr int kNothingToTryOn = 77;

struct Options {
  std::string what;
  std::string device = "cuda";
  std::string folder;
  bool small = false;
};

// The first that this process sees, or what is missing.
absl::StatusOr<RankDevice> FirstGpu() {
  if (!BuiltWithCuda()) return absl::FailedPreconditionError("this build has no CUDA: make programs CUDA=1");
  const absl::StatusOr<Placement> placement =
      PlaceRanks({OfferOfProcess(DeviceWish::kCuda, /*node=*/0, {}, CudaEnvironmentOfProcess(), /*has_cuda=*/true)});
  if (!placement.ok()) return placement.status();
  return placement->devices.front();
}

// Each operation on the GPU and composed, beside the CPU's (model/ops/composed/*_test.cc, linked into this program).
int CheckOperations(const Options& options, Checks* checks) {
  testing::GTEST_FLAG(filter) = options.device == "cuda" ? "*gpu*:*cuda*" : "*";
  testing::GTEST_FLAG(brief) = true;
  checks->Run("operations", [](nlohmann::ordered_json& figures) {
    const int failed = RUN_ALL_TESTS();
    figures["tests"] = testing::UnitTest::GetInstance()->test_to_run_count();
    return failed == 0 && testing::UnitTest::GetInstance()->successful_test_count() > 0;
  });
  return checks->all_ok() ? 0 : 1;
}

int Run(const Options& options, const std::string& program) {
  RankDevice device;
  if (options.device == "cuda") {
    const absl::StatusOr<RankDevice> found = FirstGpu();
    if (!found.ok()) {
      std::cerr << "gpu_accept: not run: " << found.status().message() << "\n";
      return kNothingToTryOn;
    }
    device = *found;
  }
  KeepFreedMemory();
  UseComputeThreads(1);
  Checks checks;
  if (options.what == "ops") return CheckOperations(options, &checks);
  const Trainings trainings(device, options.folder);
  if (options.what == "losses") CheckLosses(trainings, &checks);
  if (options.what == "steps") CheckSteps(trainings, options.small, &checks);
  if (options.what == "tax") CheckTax(trainings, options.small, &checks);
  if (options.what == "kill") CheckKill(trainings, program, &checks);
  if (options.what == "to-be-killed") TrainToBeKilled(trainings);
  return checks.all_ok() ? 0 : 1;
}

}  // namespace
}  // namespace ridgeline

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  CLI::App app("The trainer on a GPU, beside the CPU", "gpu_accept");
  ridgeline::Options options;
  app.add_option("what", options.what, "What to check")
      ->required()
      ->check(CLI::IsMember({"ops", "losses", "steps", "tax", "kill", "to-be-killed"}));
  app.add_option("--device", options.device)->check(CLI::IsMember({"cuda", "cpu"}))->capture_default_str();
  app.add_option("--folder", options.folder, "For what is trained; default: one of its own");
  app.add_flag("--small", options.small, "Few and small steps: to try this program");
  CLI11_PARSE(app, argc, argv);
  try {
    return ridgeline::Run(options, std::filesystem::canonical("/proc/self/exe").string());
  } catch (const std::exception& error) {
    std::cerr << "gpu_accept: " << error.what() << "\n";
    return 1;
  }
}
