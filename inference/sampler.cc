// SPDX-License-Identifier: Apache-2.0
#include "inference/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "fmt/format.h"

namespace ridgeline {

absl::StatusOr<uint32_t> Sampler::Choose(std::span<const float> logits) {
  float largest = -std::numeric_limits<float>::infinity();
  size_t best = 0;
  for (size_t id = 0; id < logits.size(); ++id) {
    if (std::isnan(logits[id]))
      return absl::DataLossError(fmt::format("the model's logit of token {} is not a number", id));
    if (logits[id] > largest) {
      largest = logits[id];
      best = id;
    }
  }
  if (!std::isfinite(largest)) return absl::DataLossError("the model's logits are not finite");
  if (options_.temperature <= 0 || options_.top_k == 1) return static_cast<uint32_t>(best);
  return Draw(logits, largest);
}

void Sampler::KeepTopK(std::span<const float> logits) {
  candidates_.resize(logits.size());
  std::iota(candidates_.begin(), candidates_.end(), 0u);
  if (options_.top_k <= 0 || static_cast<size_t>(options_.top_k) >= logits.size()) return;
  const auto end = candidates_.begin() + options_.top_k;
  std::nth_element(candidates_.begin(), end, candidates_.end(),
                   [&](uint32_t a, uint32_t b) { return logits[a] > logits[b] || (logits[a] == logits[b] && a < b); });
  candidates_.erase(end, candidates_.end());
  std::sort(candidates_.begin(), candidates_.end());
}

uint32_t Sampler::Draw(std::span<const float> logits, float largest) {
  KeepTopK(logits);
  cumulative_.clear();
  double sum = 0;
  for (uint32_t id : candidates_)
    cumulative_.push_back(sum += std::exp((static_cast<double>(logits[id]) - largest) / options_.temperature));
  // The standard's distributions differ between libraries; 53 bits of the generator do not.
  const double point = static_cast<double>(random_() >> 11) * 0x1p-53 * sum;
  const auto chosen = std::upper_bound(cumulative_.begin(), cumulative_.end(), point);
  return candidates_[std::min<size_t>(static_cast<size_t>(chosen - cumulative_.begin()), candidates_.size() - 1)];
}

}  // namespace ridgeline
