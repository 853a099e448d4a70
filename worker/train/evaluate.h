// SPDX-License-Identifier: Apache-2.0
// Scores held-out text.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "absl/status/statusor.h"
#include "comm/communicator.h"
#include "model/language_model.h"

namespace ridgeline {

struct Evaluation {
  double loss = 0;      // Nats per token.
  double accuracy = 0;  // Share of tokens whose most probable prediction is right.
  int64_t tokens = 0;
};

// Windows of a token stream as a model sees them.
struct WindowOptions {
  int64_t seq_len = 0;
  std::optional<uint32_t> bos;  // Stands before each window, for models that expect it there.
  bool one_at_a_time = false;   // Whether windows are scored alone, with bits that do not depend on others'.
};

// What one rank found in its share of the windows.
struct ScoredShare {
  double loss = 0;  // Sums over tokens.
  double correct = 0;
  double tokens = 0;
};

// The windows are split over the ranks. sequences 0: all of the text. INVALID_ARGUMENT if the text is shorter than one
// window.
absl::StatusOr<ScoredShare> ScoreShare(LanguageModel* model, std::span<const uint32_t> tokens,
                                       const WindowOptions& window, int64_t sequences,
                                       const Communicator& communicator);

// Called by every rank; all get the same answer.
absl::StatusOr<Evaluation> SumOfShares(const ScoredShare& share, Communicator& communicator);

// Inputs and targets, two (B, T) int64 tensors. Window i holds the tokens [offset .. offset + seq_len]: each predicts
// the next. With bos, the targets are [offset .. offset + seq_len) and the first is predicted from bos.
std::pair<at::Tensor, at::Tensor> GatherBatch(std::span<const uint32_t> tokens, std::span<const int64_t> offsets,
                                              const WindowOptions& window);

}  // namespace ridgeline
