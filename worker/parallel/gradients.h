// SPDX-License-Identifier: Apache-2.0
// The gradients of a model's parameters in one buffer, so that one all-reduce sums them all.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <vector>

#include "absl/status/status.h"
#include "comm/communicator.h"
#include "model/language_model.h"
#include "worker/parallel/runs_of_rows.h"

namespace ridgeline {

// Gives every parameter of `model`, which must outlive it, its part of the buffer. Owned and called by one thread.
class Gradients {
 public:
  // Kept in float32, or in bfloat16 where layers compute in it and nothing is accumulated over micro-batches: a single
  // pass rounds its products to bfloat16 anyway. `extras` floats travel with them.
  Gradients(LanguageModel* model, bool accumulates, size_t extras);
  ~Gradients();
  Gradients(const Gradients&) = delete;
  Gradients& operator=(const Gradients&) = delete;

  // Before a step. Does not touch the memory: the first gradient that arrives overwrites it.
  void Clear();
  std::span<float> extras() { return extras_; }

  // After the last backward pass of the step: sums over the ranks. float32 buffers travel as they are, bfloat16 ones as
  // float32 in parts.
  absl::Status Sum(Communicator& communicator);
  // Then takes each gradient through its quantizer. Returns the L2 norm of what they become, over all.
  double PassThroughQuantizers();

 private:
  absl::Status SumParts(Communicator& communicator);

  LanguageModel* model_;
  std::vector<RunOfRows> runs_;
  at::Tensor flat_;  // (elements + extras) in float32, (elements) in bfloat16
  int64_t elements_ = 0;
  std::vector<float> own_extras_;  // Where flat_ cannot hold them.
  std::span<float> extras_;
};

}  // namespace ridgeline
