// SPDX-License-Identifier: Apache-2.0
// From logits to the next token: greedy, or drawn at a temperature, among all tokens or the most probable ones.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

namespace ridgeline {

struct SamplingOptions {
  double temperature = 1;  // 0: the most probable token.
  int64_t top_k = 0;       // Only that many most probable tokens; 0: all.
  uint64_t seed = 0;
};

// One generation's choices, the same on every machine for the same logits and seed. One thread at a time.
class Sampler {
 public:
  explicit Sampler(const SamplingOptions& options) : options_(options), random_(options.seed) {}

  // logits: (V). Of equal ones the first id counts as the most probable. DATA_LOSS if one is NaN or all are -inf.
  absl::StatusOr<uint32_t> Choose(std::span<const float> logits);

 private:
  uint32_t Draw(std::span<const float> logits, float largest);
  // The ids of the k largest, in rising order.
  void KeepTopK(std::span<const float> logits);

  SamplingOptions options_;
  std::mt19937_64 random_;
  std::vector<uint32_t> candidates_;  // Ids
  std::vector<double> cumulative_;    // Unnormalized probabilities of the candidates, summed up
};

}  // namespace ridgeline
