// SPDX-License-Identifier: Apache-2.0
// Optimizer steps of a model that the ranks of an MPI job hold whole or share, in several ways: what they send, hold
// and wait for.
#include <algorithm>
#include <chrono>
#include <fstream>
#include <memory>
#include <numeric>

#include "bench/shard_parts.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "model/kernels/gradient_wire.h"
#include "model/training_pass.h"
#include "plan/plan.h"
#include "plan/traffic.h"
#include "quant/autograd/torch_pch.h"
#include "recipes/recipe_reader.h"
#include "worker/train/model_from_recipe.h"
#include "worker/train/rank_groups.h"
#include "worker/train/strategy_from_recipe.h"

namespace ridgeline {
namespace {

struct Variant {
  std::string name;
  std::vector<RecipeOverride> changes;
};

// What layers compute in is bfloat16, so that what is not quantized travels in 16 bits, as other trainers have it.
std::vector<Variant> Variants() {
  auto shared = [](const std::string& format, const std::string& gradients) {
    std::vector<RecipeOverride> changes = {{"parallelism.shard_degree", "0"},
                                           {"parallelism.gradient_dtype", gradients}};
    if (format != "none") changes.push_back({"quant.weight.format", format});
    return Variant{fmt::format("shared, {} weights, {} gradients", format == "none" ? "bfloat16" : format, gradients),
                   std::move(changes)};
  };
  std::vector<Variant> variants = {{"held whole, int4 weights", {{"quant.weight.format", "int4"}}},
                                   shared("none", "bfloat16")};
  for (const char* format : {"int4", "int1"})
    for (const char* gradients : {"float32", "bfloat16", "int8"}) variants.push_back(shared(format, gradients));
  return variants;
}

v1::Recipe RecipeOf(const Variant& variant, const TrainingBench& bench, int64_t ranks) {
  v1::Recipe recipe;
  std::vector<RecipeOverride> all = {{"dataset.path", "/nowhere"},
                                     {"model.name", bench.model},
                                     {"training.seq_len", std::to_string(bench.seq_len)},
                                     {"training.global_batch_size", std::to_string(ranks)},
                                     {"training.dtype", bench.dtype},
                                     {"training.steps", "1000"}};
  if (bench.layers > 0) all.push_back({"model.n_layers", std::to_string(bench.layers)});
  all.insert(all.end(), variant.changes.begin(), variant.changes.end());
  for (const auto& [key, value] : all) {
    const absl::Status status = SetRecipeField(&recipe, key, value);
    TORCH_CHECK(status.ok(), std::string(status.message()));
  }
  ApplyRecipeDefaults(&recipe);
  return recipe;
}

// The most of this process's memory that was in use since the last call.
double PeakMebibytes() {
  std::ifstream status("/proc/self/status");
  double kibibytes = 0;
  for (std::string word; status >> word;)
    if (word == "VmHWM:") status >> kibibytes;
  std::ofstream("/proc/self/clear_refs") << "5";
  return kibibytes / 1024;
}

double SumOf(const CollectiveCounts& counts, double CollectiveCount::*seconds) {
  return std::accumulate(counts.begin(), counts.end(), 0.0,
                         [seconds](double sum, const CollectiveCount& count) { return sum + count.*seconds; });
}
double BytesOf(const CollectiveCounts& counts) {
  return std::accumulate(counts.begin(), counts.end(), 0.0, [](double sum, const CollectiveCount& count) {
    return sum + static_cast<double>(count.bytes);
  });
}

class Run {
 public:
  Run(const Variant& variant, const TrainingBench& bench, Communicator& ranks)
      : variant_(variant), bench_(bench), ranks_(ranks), recipe_(RecipeOf(variant, bench, ranks.size())) {}

  absl::StatusOr<std::vector<std::string>> Measure() {
    PeakMebibytes();
    ASSIGN_OR_RETURN(groups_, made_.Of(recipe_, ranks_));
    ASSIGN_OR_RETURN(model_,
                     ModelFromRecipe(recipe_, kVocabulary,
                                     {.shard_rank = groups_->shard_rank(), .shard_ranks = groups_->shard_ranks()}));
    strategy_ = StrategyFromRecipe(recipe_, model_.get(), 1, *groups_, ranks_);
    RETURN_IF_ERROR(Step());  // Quantizes everything first.
    std::vector<double> seconds;
    const CollectiveCounts before = ranks_.counts();
    for (int64_t i = 0; i < bench_.steps; ++i) {
      const auto start = std::chrono::steady_clock::now();
      RETURN_IF_ERROR(Step());
      seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    const CollectiveCounts after = ranks_.counts();
    std::array<double, 3> sums = {PeakMebibytes(), BytesOf(after) - BytesOf(before),
                                  SumOf(after, &CollectiveCount::seconds) - SumOf(before, &CollectiveCount::seconds)};
    const double own_memory = sums[0];
    RETURN_IF_ERROR(ranks_.AllReduceSum(std::span<double>(sums), "figures"));
    std::sort(seconds.begin(), seconds.end());
    return Row(seconds, own_memory, sums[1] / ranks_.size() / static_cast<double>(bench_.steps), sums[2]);
  }

 private:
  static constexpr int64_t kVocabulary = 256;  // Of shapes that have none.

  absl::Status Step() {
    strategy_->ClearGradients();
    const at::Tensor tokens = at::randint(model_->vocab_size(), {1, bench_.seq_len + 1}, at::kLong);
    AccumulateGradients(model_.get(), tokens.narrow(1, 0, bench_.seq_len), tokens.narrow(1, 1, bench_.seq_len), 1e-3);
    RETURN_IF_ERROR(strategy_->ReduceGradients());
    RETURN_IF_ERROR(strategy_->PassThroughQuantizers().status());
    strategy_->Step(1e-4, 1);
    return absl::OkStatus();
  }

  // Counted bytes beside those planned; and, of blocks alone, beside what sharding in bfloat16 sends.
  absl::StatusOr<std::vector<std::string>> Row(const std::vector<double>& seconds, double mebibytes, double bytes,
                                               double waited) const {
    ASSIGN_OR_RETURN(const Device device, FindDevice("cpu"));
    ASSIGN_OR_RETURN(const Plan plan, PlanJob(recipe_, kVocabulary, ranks_.size(), device));
    const double step = std::accumulate(seconds.begin(), seconds.end(), 0.0) / static_cast<double>(seconds.size());
    const double share = waited / static_cast<double>(ranks_.size()) / (step * static_cast<double>(bench_.steps));
    return std::vector<std::string>{variant_.name,
                                    std::to_string(ranks_.size()),
                                    fmt::format("{:.2f}", bytes / 1e6),
                                    fmt::format("{:.4f}", bytes / plan.work.traffic.total()),
                                    BlocksRatio(plan, bytes),
                                    fmt::format("{:.0f}", mebibytes),
                                    fmt::format("{:.0f}", static_cast<double>(plan.memory.peak_bytes()) / (1 << 20)),
                                    fmt::format("{:.3f}", seconds[seconds.size() / 2]),
                                    fmt::format("{:.2f}", share)};
  }

  // What blocks alone send, over 6 P (N - 1) / N.
  std::string BlocksRatio(const Plan& plan, double bytes) const {
    if (!plan.is_shared()) return "-";
    double outer = 0, numbers = 0;
    const std::vector<ParameterShards> shards = model_->Shards();
    for (size_t i = 0; i < shards.size(); ++i) {
      const ParameterShape& shape = *model_->parameters()[i].shape;
      if (!shape.is_weight_matrix()) continue;
      if (shape.block >= 0) numbers += static_cast<double>(shape.elements());
      if (shape.block < 0) outer += OuterBytes(shape);
    }
    const double n = ranks_.size();
    return fmt::format("{:.3f}", (bytes - outer) / (6 * numbers * (n - 1) / n));
  }

  // Of a parameter outside of blocks, gathered once and its gradient sent once, on average over the ranks.
  double OuterBytes(const ParameterShape& shape) const {
    const double n = ranks_.size(), numbers = static_cast<double>(shape.elements());
    const double number = static_cast<double>(c10::elementSize(model_->options().compute_dtype));
    const double gradient =
        static_cast<double>(WireBytes(GradientDtypeNamed(recipe_.parallelism().gradient_dtype()), shape.elements()));
    return (n - 1) / n * (number * numbers + gradient);
  }

  const Variant& variant_;
  const TrainingBench& bench_;
  Communicator& ranks_;
  const v1::Recipe recipe_;
  RankGroupsOfJobs made_;
  const RankGroups* groups_ = nullptr;
  std::unique_ptr<LanguageModel> model_;
  std::unique_ptr<Strategy> strategy_;
};

}  // namespace

absl::StatusOr<BenchTable> MeasureTraining(const TrainingBench& bench, Communicator& ranks) {
  BenchTable table{{"variant", "ranks", "MB sent a step", "over plan", "blocks over bf16 FSDP", "peak MiB",
                    "planned MiB", "s a step", "share in collectives"},
                   {}};
  for (const Variant& variant : Variants()) {
    if (variant.name.find(bench.only) == std::string::npos) continue;
    ASSIGN_OR_RETURN(std::vector<std::string> row, Run(variant, bench, ranks).Measure());
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace ridgeline
