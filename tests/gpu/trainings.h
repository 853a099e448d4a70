// SPDX-License-Identifier: Apache-2.0
// Trainings that the GPU acceptance makes: the worker's own, on a small text, in this process.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"
#include "recipes/recipe_reader.h"
#include "worker/train/trainer.h"

namespace ridgeline {

using Changes = std::vector<RecipeOverride>;

// A folder with the text, removed at the end unless it was given. Throws std::runtime_error with what went wrong.
class Trainings {
 public:
  explicit Trainings(const RankDevice& device, const std::filesystem::path& folder = {});
  ~Trainings();
  Trainings(const Trainings&) = delete;
  Trainings& operator=(const Trainings&) = delete;

  const RankDevice& device() const { return device_; }
  const std::filesystem::path& folder() const { return folder_; }

  // "none", "a4w4" or "a1w1": ridge_trust on rotated blocks of 32.
  static Changes Quantizers(const std::string& name);
  v1::Assign Assignment(const Changes& changes) const;
  // The points that have a training loss. `device`: where; this acceptance's, or the CPU.
  std::vector<v1::MetricPoint> Train(const v1::Assign& assignment, const RankDevice& device) const;
  std::string TwoLayerGemma() const;  // A GGUF.

 private:
  const RankDevice device_;
  const std::filesystem::path folder_;
  const bool is_own_;
};

// Prints a line of JSON a check: {"check": name, "ok": ..., figures}.
class Checks {
 public:
  // `function(figures)` adds to them and says whether all is well. What throws is not, and the next goes on.
  template <typename Function>
  void Run(const std::string& name, const Function& function) {
    nlohmann::ordered_json figures = nlohmann::ordered_json::object();
    bool ok = false;
    try {
      ok = function(figures);
    } catch (const std::exception& error) {
      figures["error"] = error.what();
    }
    Print(name, ok, figures);
  }
  bool all_ok() const { return all_ok_; }

 private:
  void Print(const std::string& name, bool ok, const nlohmann::ordered_json& figures);

  bool all_ok_ = true;
};

// What the acceptance's words do; `small`: few and small steps, to try the program.
void CheckLosses(const Trainings& trainings, Checks* checks);
void CheckSteps(const Trainings& trainings, bool small, Checks* checks);
void CheckTax(const Trainings& trainings, bool small, Checks* checks);
// `program`: this one's path, which is started again and killed.
void CheckKill(const Trainings& trainings, const std::string& program, Checks* checks);
// What CheckKill starts: a training in `folder` that goes on until it is killed.
void TrainToBeKilled(const Trainings& trainings);

}  // namespace ridgeline
