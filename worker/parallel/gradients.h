// SPDX-License-Identifier: Apache-2.0
// Gradients of parameters that every rank holds whole, in one buffer, so that one all-reduce sums them all.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <vector>

#include "absl/status/status.h"
#include "comm/communicator.h"
#include "model/parameter.h"

namespace ridgeline {

// Gives each of the parameters, which must outlive it, its part of the buffer. Owned and called by one thread.
class Gradients {
 public:
  // Kept in float32 or, where a single pass makes them and rounds its products to it anyway, in bfloat16. `extras`
  // floats travel with them.
  Gradients(std::vector<Parameter*> parameters, bool in_bfloat16, size_t extras);
  ~Gradients();
  Gradients(const Gradients&) = delete;
  Gradients& operator=(const Gradients&) = delete;

  // Before a step. Does not touch the memory: the first gradient that arrives overwrites it.
  void Clear();
  std::span<float> extras() { return extras_; }

  // After the last backward pass of the step: sums over the ranks. float32 buffers travel as they are, bfloat16 ones as
  // float32 in parts.
  absl::Status Sum(Communicator& communicator);

 private:
  absl::Status SumParts(Communicator& communicator);

  const std::vector<Parameter*> parameters_;
  at::Tensor flat_;  // (elements + extras) in float32, (elements) in bfloat16
  int64_t elements_ = 0;
  std::vector<float> own_extras_;  // Where flat_ cannot hold them.
  std::span<float> extras_;
};

}  // namespace ridgeline
