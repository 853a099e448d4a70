// SPDX-License-Identifier: Apache-2.0
// Scores held-out text.
#pragma once

#include <cstdint>
#include <span>

#include "absl/status/statusor.h"
#include "model/gpt.h"
#include "worker/comm/communicator.h"

namespace ridgeline {

struct Evaluation {
  double loss = 0;      // Nats per token.
  double accuracy = 0;  // Share of tokens whose most probable prediction is right.
  int64_t tokens = 0;
};

// Called by every rank; the windows are split over them and all get the same answer. sequences 0: all of the text.
// INVALID_ARGUMENT if the text is shorter than one window.
absl::StatusOr<Evaluation> Evaluate(const Gpt& model, std::span<const uint32_t> tokens, int64_t seq_len,
                                    int64_t sequences, Communicator& communicator);

// tokens[offset .. offset + seq_len] of each offset, as inputs and the targets one further: two (B, T) int64 tensors.
std::pair<at::Tensor, at::Tensor> GatherBatch(std::span<const uint32_t> tokens, std::span<const int64_t> offsets,
                                              int64_t seq_len);

}  // namespace ridgeline
