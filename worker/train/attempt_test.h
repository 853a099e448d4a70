// SPDX-License-Identifier: Apache-2.0
// What tests of whole attempts share: a small text, a small recipe, and ranks as threads.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "comm/threads/thread_communicator.h"
#include "data/dataset.h"
#include "method/estimator_traits.h"
#include "method/format.h"
#include "recipes/recipe_reader.h"
#include "worker/train/trainer.h"

namespace ridgeline {

// Remembers what a run says, and stops it where a test wants.
class Recorder : public RunObserver {
 public:
  void OnMetrics(const v1::MetricPoint& point) override { points.push_back(point); }
  void OnLog(const v1::LogLine& line) override {
    lines.push_back(line);
    log += line.text() + "\n";
  }
  void OnCheckpoint(const v1::Checkpoint& checkpoint) override { last_checkpoint = checkpoint; }
  void OnResumed(const v1::Checkpoint& checkpoint) override { resumed = checkpoint; }
  void OnOthersMemory(int64_t bytes) override { others_memory_bytes = bytes; }
  StopRequest PollStop() override {
    ++polls;
    const bool stops = polls == stop_at_step || (stops_after_checkpoint && last_checkpoint.step() > 0);
    return stops ? stop_with : StopRequest::kNone;
  }

  std::vector<double> TrainLosses() const {
    std::vector<double> losses;
    for (const v1::MetricPoint& point : points)
      if (point.has_train_loss()) losses.push_back(point.train_loss());
    return losses;
  }

  std::vector<v1::MetricPoint> points;
  std::string log;
  std::vector<v1::LogLine> lines;
  v1::Checkpoint last_checkpoint, resumed;
  int64_t others_memory_bytes = -1;
  int64_t polls = 0;
  int64_t stop_at_step = -1;
  bool stops_after_checkpoint = false;  // At the step after the first was told.
  StopRequest stop_with = StopRequest::kNone;
};

class AttemptTest : public ::testing::Test {
 protected:
  using Changes = std::vector<RecipeOverride>;

  static Changes With(Changes changes, const Changes& more) {
    changes.insert(changes.end(), more.begin(), more.end());
    return changes;
  }

  // The estimator, of weights where it is defined for them, in the first format that it accepts.
  static Changes EstimatorAlone(const EstimatorTraits& traits) {
    const Side side = traits.is_defined_for(Side::kWeight) ? Side::kWeight : Side::kActivation;
    const std::string tensor = side == Side::kWeight ? "quant.weight" : "quant.activation";
    std::string accepted;
    for (const Format format : {Format::kInt8, Format::kTernary, Format::kInt4, Format::kInt1, Format::kInt2})
      if (traits.accepts(format)) accepted = FormatName(format);
    return {{"quant.estimator", side == Side::kWeight ? "none" : "ridge_trust"},
            {tensor + ".estimator", std::string(traits.name)},
            {tensor + ".format", accepted}};
  }

  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("ridgeline_attempt_test_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    std::string text;
    for (int i = 0; i < 400; ++i) text += Sentence(i);
    Prepare("data", text);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static std::string Sentence(int i) {
    return "the quick brown fox number " + std::to_string(i * i) + " jumps over the lazy dog\n";
  }

  // A dataset of characters in the test's folder; its path.
  std::string Prepare(const std::string& name, const std::string& text) const {
    PrepareOptions options;
    options.texts = {(folder_ / (name + ".txt")).string()};
    options.out_dir = (folder_ / name).string();
    std::ofstream(options.texts.front()) << text;
    EXPECT_TRUE(PrepareDataset(options).ok());
    return options.out_dir;
  }

  v1::Assign Assignment(const std::vector<RecipeOverride>& changes = {}) const {
    v1::Assign assignment;
    assignment.set_job_id("job-1");
    assignment.set_epoch(1);
    v1::Recipe* recipe = assignment.mutable_recipe();
    std::vector<RecipeOverride> all = {{"dataset.path", (folder_ / "data").string()},
                                       {"model.name", "gpt"},
                                       {"model.n_layers", "2"},
                                       {"model.dim", "32"},
                                       {"model.n_heads", "2"},
                                       {"training.seq_len", "32"},
                                       {"training.global_batch_size", "6"},
                                       {"training.steps", "20"},
                                       {"lr_scheduler.warmup_steps", "4"},
                                       {"optimizer.lr", "3e-3"},
                                       {"checkpoint.interval", "8"},
                                       {"validation.interval", "10"},
                                       {"validation.sequences", "12"},
                                       {"quant.estimator", "ridge"},
                                       {"quant.weight.format", "int2"},
                                       {"quant.activation.format", "int2"}};
    all.insert(all.end(), changes.begin(), changes.end());
    for (const auto& [key, value] : all) {
      absl::Status status = SetRecipeField(recipe, key, value);
      EXPECT_TRUE(status.ok()) << status;
    }
    ApplyRecipeDefaults(recipe);
    return assignment;
  }

  // Runs every rank on a thread of its own; the result is rank 0's.
  absl::StatusOr<RunResult> Run(const v1::Assign& assignment, int ranks, Recorder& recorder) const {
    auto communicators = MakeThreadCommunicators(ranks);
    std::vector<absl::StatusOr<RunResult>> results(static_cast<size_t>(ranks), absl::UnknownError("did not run"));
    std::vector<std::thread> threads;
    for (int rank = 0; rank < ranks; ++rank)
      threads.emplace_back([&, rank] {
        RunOptions options{.work_dir = (folder_ / "work").string(), .observer = rank == 0 ? &recorder : nullptr};
        results[static_cast<size_t>(rank)] = RunAttempt(assignment, *communicators[static_cast<size_t>(rank)], options);
      });
    for (std::thread& thread : threads) thread.join();
    return results[0];
  }

  std::filesystem::path folder_;
};

}  // namespace ridgeline
