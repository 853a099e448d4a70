// SPDX-License-Identifier: Apache-2.0
// Whether the trainer does on this machine's GPU what it does on the CPU, and how fast. Prints a JSON object a line:
// {"check": ..., "passed": ..., ...}; tools/gpu_accept.sh makes a table of them. The exit status is 1 where a check
// fails, and 77 where there is no GPU or this build has no CUDA. With --device cpu everything runs on the CPU, composed
// operations in the GPU's place, which is how the program itself is tried without one.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "comm/threads/thread_communicator.h"
#include "data/dataset.h"
#include "device/build.h"
#include "device/gpus.h"
#include "fmt/format.h"
#include "model/blueprint/gemma3.h"
#include "model/small_gemma.h"
#include "nlohmann/json.hpp"
#include "plan/plan.h"
#include "recipes/recipe_reader.h"
#include "worker/train/freed_memory.h"
#include "worker/train/threads.h"
#include "worker/train/trainer.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using Changes = std::vector<RecipeOverride>;

constexpr int kNothingToTryOn = 77;
// Losses of some steps in float32, relative: nothing but the order of additions differs; where values are quantized,
// codes at a threshold fall to either side.
constexpr double kSameLossTolerance = 1e-4, kSameLossOfCodesTolerance = 2e-2;

struct Options {
  std::string device = "cuda";
  bool small = false;  // Few and small steps: to try the program.
};

// Keeps what a run says.
class Listener : public RunObserver {
 public:
  void OnMetrics(const v1::MetricPoint& point) override {
    if (point.has_train_loss()) points.push_back(point);
  }
  void OnLog(const v1::LogLine& line) override { std::cerr << line.text() << "\n"; }
  void OnCheckpoint(const v1::Checkpoint&) override {}
  void OnResumed(const v1::Checkpoint&) override {}
  void OnOthersMemory(int64_t) override {}
  StopRequest PollStop() override { return StopRequest::kNone; }

  std::vector<v1::MetricPoint> points;
};

class Acceptance {
 public:
  Acceptance(const Options& options, const RankDevice& device)
      : options_(options),
        device_(device),
        folder_(fs::temp_directory_path() / fmt::format("gpu_accept_{}", getpid())) {
    fs::create_directories(folder_);
    PrepareOptions text;
    text.text_path = (folder_ / "text.txt").string();
    text.out_dir = (folder_ / "data").string();
    std::ofstream out(text.text_path);
    for (int i = 0; i < 40'000; ++i) out << "the quick brown fox number " << i * i << " jumps over the lazy dog\n";
    out.close();
    if (const absl::StatusOr<DatasetInfo> prepared = PrepareDataset(text); !prepared.ok())
      throw std::runtime_error(std::string(prepared.status().message()));
  }
  ~Acceptance() { fs::remove_all(folder_); }
  Acceptance(const Acceptance&) = delete;
  Acceptance& operator=(const Acceptance&) = delete;

  // Whether all checks passed.
  bool Run() {
    for (const char* quantizers : {"none", "a4w4", "a1w1"}) {
      SameLosses("gpt-nano", {{"model.name", "gpt-nano"}, {"training.seq_len", "64"}}, quantizers);
      SameLosses("gemma3 of 2 layers", {{"model.path", TwoLayerGemma()}, {"training.seq_len", "32"}}, quantizers);
    }
    for (const char* model : {"gemma3-270m", "gemma3-1b"}) Speed(model);
    return passed_;
  }

 private:
  static Changes Quantizers(const std::string& name) {
    if (name == "none") return {{"quant.estimator", "none"}};
    const std::string format = name == "a4w4" ? "int4" : "int1";
    return {{"quant.estimator", "ridge_trust"}, {"quant.hadamard", "true"},          {"quant.weight.format", format},
            {"quant.weight.block", "32"},       {"quant.activation.format", format}, {"quant.activation.block", "32"}};
  }

  v1::Assign Assignment(const Changes& changes) const {
    v1::Assign assignment;
    assignment.set_job_id(fmt::format("job-{}", ++jobs_));
    assignment.set_epoch(1);
    Changes all = {{"dataset.path", (folder_ / "data").string()},
                   {"checkpoint.interval", "0"},
                   {"validation.interval", "0"},
                   {"validation.sequences", "2"},
                   {"export.frontier", "false"},
                   {"lr_scheduler.warmup_steps", "2"}};
    all.insert(all.end(), changes.begin(), changes.end());
    for (const auto& [key, value] : all)
      if (const absl::Status set = SetRecipeField(assignment.mutable_recipe(), key, value); !set.ok())
        throw std::runtime_error(std::string(set.message()));
    ApplyRecipeDefaults(assignment.mutable_recipe());
    return assignment;
  }

  std::vector<v1::MetricPoint> Train(const v1::Assign& assignment, const RankDevice& device) const {
    Listener listener;
    const auto communicator = std::move(MakeThreadCommunicators(1)[0]);
    const absl::StatusOr<RunResult> result = RunAttempt(
        assignment, *communicator,
        {.work_dir = (folder_ / "work").string(), .observer = &listener, .groups = nullptr, .device = device});
    if (!result.ok()) throw std::runtime_error(std::string(result.status().message()));
    return listener.points;
  }

  std::string TwoLayerGemma() const {
    Gemma3Config config = SmallGemma(/*vocab_size=*/128);
    config.n_layers = 2;
    config.slides = {true, false};
    const std::string path = (folder_ / "gemma.gguf").string();
    return fs::exists(path) ? path : WriteSmallGemma(config, path);
  }

  void SameLosses(const char* name, Changes changes, const std::string& quantizers) {
    Check(fmt::format("{} {}: the CPU's losses", name, quantizers), [&](Json& figures) {
      for (const RecipeOverride& change : Quantizers(quantizers)) changes.push_back(change);
      for (const RecipeOverride& change :
           Changes{{"training.steps", "8"}, {"training.global_batch_size", "4"}, {"optimizer.eps", "1e-3"}})
        changes.push_back(change);
      const std::vector<v1::MetricPoint> ours = Train(Assignment(changes), {});
      if (!device_.is_cuda) changes.push_back({"training.kernels", "composed"});
      const std::vector<v1::MetricPoint> theirs = Train(Assignment(changes), device_);
      double apart = ours.size() == theirs.size() && ours.size() == 8 ? 0 : INFINITY;
      for (size_t i = 0; i < std::min(ours.size(), theirs.size()); ++i)
        apart = std::max(apart, std::abs(ours[i].train_loss() - theirs[i].train_loss()) / ours[i].train_loss());
      figures["largest_difference"] = apart;
      return apart <= (quantizers == "none" ? kSameLossTolerance : kSameLossOfCodesTolerance);
    });
  }

  // Median of the steps after the first two, which make caches.
  struct Pace {
    double step_seconds = 0, tokens_per_second = 0;
    std::optional<double> peak_ratio;
    int64_t memory_bytes = 0;
  };
  Pace PaceOf(const v1::Assign& assignment) const {
    std::vector<v1::MetricPoint> points = Train(assignment, device_);
    points.erase(points.begin(), points.begin() + std::min<ptrdiff_t>(2, std::ssize(points) - 1));
    std::sort(points.begin(), points.end(),
              [](const auto& a, const auto& b) { return a.step_seconds() < b.step_seconds(); });
    const v1::MetricPoint& median = points[points.size() / 2];
    const v1::Training& training = assignment.recipe().training();
    Pace pace{.step_seconds = median.step_seconds()};
    pace.tokens_per_second = training.global_batch_size() * training.seq_len() / pace.step_seconds;
    if (median.has_peak_ratio()) pace.peak_ratio = median.peak_ratio();
    for (const v1::MetricPoint& point : points)
      pace.memory_bytes = std::max(pace.memory_bytes, point.device_memory_bytes());
    return pace;
  }

  // Steps in bfloat16, and what quantizers add to them.
  void Speed(const std::string& model) {
    const std::string batch = options_.small ? "1" : model == "gemma3-1b" ? "8" : "16";
    Changes changes = {{"model.name", options_.small ? "gpt-nano" : model},
                       {"training.dtype", "bfloat16"},
                       {"training.seq_len", options_.small ? "32" : "1024"},
                       {"training.global_batch_size", batch},
                       {"training.steps", options_.small ? "4" : "12"}};
    double plain_seconds = 0;
    for (const char* quantizers : {"none", "a4w4", "a1w1"})
      Check(fmt::format("{} {}: steps", model, quantizers), [&](Json& figures) {
        Changes all = changes;
        for (const RecipeOverride& change : Quantizers(quantizers)) all.push_back(change);
        const v1::Assign assignment = Assignment(all);
        const Pace pace = PaceOf(assignment);
        if (plain_seconds == 0) plain_seconds = pace.step_seconds;
        figures["tokens_per_second"] = std::round(pace.tokens_per_second);
        figures["step_seconds"] = pace.step_seconds;
        if (pace.peak_ratio) figures["peak_ratio"] = *pace.peak_ratio;
        figures["tax"] = pace.step_seconds / plain_seconds;
        AddMemory(assignment.recipe(), pace.memory_bytes, &figures);
        return std::isfinite(pace.tokens_per_second) && pace.tokens_per_second > 0;
      });
  }

  static void AddMemory(const v1::Recipe& recipe, int64_t memory_bytes, Json* figures) {
    const absl::StatusOr<Plan> plan = PlanJob(recipe, /*vocab_size=*/64, /*ranks=*/1, *FindDevice("h100"));
    if (!plan.ok() || memory_bytes == 0) return;
    constexpr double kMebibyte = 1 << 20;
    (*figures)["memory_mib"] = std::round(static_cast<double>(memory_bytes) / kMebibyte);
    (*figures)["planned_mib"] = std::round(static_cast<double>(plan->memory.peak_bytes()) / kMebibyte);
  }

  // What throws has failed, and the next goes on.
  template <typename Function>
  void Check(const std::string& name, const Function& function) {
    Json line = {{"check", name}, {"passed", false}};
    try {
      Json figures = Json::object();
      line["passed"] = static_cast<bool>(function(figures));
      line.update(figures);
    } catch (const std::exception& error) {
      line["error"] = error.what();
    }
    passed_ = passed_ && line["passed"].get<bool>();
    std::cout << line.dump() << std::endl;
  }

  const Options& options_;
  const RankDevice device_;
  const fs::path folder_;
  mutable int jobs_ = 0;
  bool passed_ = true;
};

// The first that this process sees; says what is missing.
absl::StatusOr<RankDevice> FirstGpu() {
  if (!BuiltWithCuda()) return absl::FailedPreconditionError("this build has no CUDA: make programs CUDA=1");
  const absl::StatusOr<Placement> placement =
      PlaceRanks({OfferOfProcess(DeviceWish::kCuda, /*node=*/0, {}, CudaEnvironmentOfProcess(), BuiltWithCuda())});
  if (!placement.ok()) return placement.status();
  return placement->devices.front();
}

int Run(const Options& options) {
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
  return Acceptance(options, device).Run() ? 0 : 1;
}

}  // namespace
}  // namespace ridgeline

int main(int argc, char** argv) {
  CLI::App app("The trainer on a GPU, beside the CPU", "gpu_accept");
  ridgeline::Options options;
  app.add_option("--device", options.device)->check(CLI::IsMember({"cuda", "cpu"}))->capture_default_str();
  app.add_flag("--small", options.small, "Few and small steps: to try this program");
  CLI11_PARSE(app, argc, argv);
  return ridgeline::Run(options);
}
