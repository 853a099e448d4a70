// SPDX-License-Identifier: Apache-2.0
#include "tests/gpu/trainings.h"

#include <unistd.h>

#include <fstream>
#include <iostream>
#include <stdexcept>

#include "comm/threads/thread_communicator.h"
#include "data/dataset.h"
#include "fmt/format.h"
#include "model/small_gemma.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

void ThrowIfError(const absl::Status& status) {
  if (!status.ok()) throw std::runtime_error(std::string(status.message()));
}

// Keeps the steps, and passes on what a run says.
class Listener : public RunObserver {
 public:
  void OnMetrics(const v1::MetricPoint& point) override {
    if (point.has_train_loss()) points.push_back(point);
  }
  void OnLog(const v1::LogLine& line) override { std::cerr << line.text() << "\n"; }
  void OnCheckpoint(const v1::Checkpoint& checkpoint) override {
    std::cerr << "checkpoint of step " << checkpoint.step() << "\n";
  }
  void OnResumed(const v1::Checkpoint&) override {}
  void OnOthersMemory(int64_t) override {}
  StopRequest PollStop() override { return StopRequest::kNone; }

  std::vector<v1::MetricPoint> points;
};

void PrepareText(const fs::path& folder) {
  PrepareOptions text;
  text.texts = {(folder / "text.txt").string()};
  text.out_dir = (folder / "data").string();
  if (fs::exists(text.out_dir)) return;
  std::ofstream out(text.texts.front());
  for (int i = 0; i < 40'000; ++i) out << "the quick brown fox number " << i * i << " jumps over the lazy dog\n";
  out.close();
  ThrowIfError(PrepareDataset(text).status());
}

}  // namespace

Trainings::Trainings(const RankDevice& device, const fs::path& folder)
    : device_(device),
      folder_(folder.empty() ? fs::temp_directory_path() / fmt::format("gpu_accept_{}", getpid()) : folder),
      is_own_(folder.empty()) {
  fs::create_directories(folder_);
  PrepareText(folder_);
}

Trainings::~Trainings() {
  if (is_own_) fs::remove_all(folder_);
}

Changes Trainings::Quantizers(const std::string& name) {
  if (name == "none") return {{"quant.estimator", "none"}};
  const std::string format = name == "a4w4" ? "int4" : "int1";
  return {{"quant.estimator", "ridge_trust"}, {"quant.hadamard", "true"},          {"quant.weight.format", format},
          {"quant.weight.block", "32"},       {"quant.activation.format", format}, {"quant.activation.block", "32"}};
}

v1::Assign Trainings::Assignment(const Changes& changes) const {
  v1::Assign assignment;
  assignment.set_job_id("job-1");
  assignment.set_epoch(1);
  Changes all = {{"dataset.path", (folder_ / "data").string()},
                 {"checkpoint.interval", "0"},
                 {"validation.interval", "0"},
                 {"validation.sequences", "2"},
                 {"export.frontier", "false"},
                 {"lr_scheduler.warmup_steps", "2"}};
  all.insert(all.end(), changes.begin(), changes.end());
  for (const auto& [key, value] : all) ThrowIfError(SetRecipeField(assignment.mutable_recipe(), key, value));
  ApplyRecipeDefaults(assignment.mutable_recipe());
  return assignment;
}

std::vector<v1::MetricPoint> Trainings::Train(const v1::Assign& assignment, const RankDevice& device) const {
  Listener listener;
  const auto communicator = std::move(MakeThreadCommunicators(1)[0]);
  RunOptions options{.work_dir = (folder_ / "work").string(), .observer = &listener};
  options.device = device;
  ThrowIfError(RunAttempt(assignment, *communicator, options).status());
  return listener.points;
}

std::string Trainings::TwoLayerGemma() const {
  Gemma3Config config = SmallGemma(/*vocab_size=*/128);
  config.n_layers = 2;
  config.slides = {true, false};
  const std::string path = (folder_ / "gemma.gguf").string();
  return fs::exists(path) ? path : WriteSmallGemma(config, path);
}

void Checks::Print(const std::string& name, bool ok, const nlohmann::ordered_json& figures) {
  nlohmann::ordered_json line = {{"check", name}, {"ok", ok}};
  line.update(figures);
  std::cout << line.dump() << std::endl;
  all_ok_ = all_ok_ && ok;
}

}  // namespace ridgeline
