// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "fmt/format.h"
#include "tests/gpu/trainings.h"

namespace ridgeline {
namespace {

constexpr int64_t kSteps = 8;
// Of losses in float32, relative: nothing but the order of additions differs; where values are quantized, codes at a
// threshold fall to either side.
constexpr double kSameLossTolerance = 1e-4, kSameLossOfCodesTolerance = 2e-2;

double LargestDifference(const std::vector<v1::MetricPoint>& a, const std::vector<v1::MetricPoint>& b) {
  if (std::ssize(a) != kSteps || std::ssize(b) != kSteps) return INFINITY;
  double apart = 0;
  for (size_t i = 0; i < a.size(); ++i)
    apart = std::max(apart, std::abs(a[i].train_loss() - b[i].train_loss()) / a[i].train_loss());
  return apart;
}

}  // namespace

void CheckLosses(const Trainings& trainings, Checks* checks) {
  const std::vector<std::pair<const char*, Changes>> models = {
      {"gpt-nano", {{"model.name", "gpt-nano"}, {"training.seq_len", "64"}}},
      {"gemma3 of 2 layers", {{"model.path", trainings.TwoLayerGemma()}, {"training.seq_len", "32"}}}};
  for (const auto& [name, model] : models)
    for (const std::string quantizers : {"none", "a4w4", "a1w1"})
      checks->Run(fmt::format("losses of {}, {}", name, quantizers), [&](nlohmann::ordered_json& figures) {
        Changes changes = model;
        for (const Changes& more :
             {Trainings::Quantizers(quantizers), Changes{{"training.steps", std::to_string(kSteps)},
                                                         {"training.global_batch_size", "4"},
                                                         {"optimizer.eps", "1e-3"}}})
          changes.insert(changes.end(), more.begin(), more.end());
        const std::vector<v1::MetricPoint> ours = trainings.Train(trainings.Assignment(changes), {});
        if (!trainings.device().is_cuda) changes.push_back({"training.kernels", "composed"});
        const double apart =
            LargestDifference(ours, trainings.Train(trainings.Assignment(changes), trainings.device()));
        figures["largest_difference"] = apart;
        return apart <= (quantizers == "none" ? kSameLossTolerance : kSameLossOfCodesTolerance);
      });
}

}  // namespace ridgeline
