// SPDX-License-Identifier: Apache-2.0
// Gradients of parameters that every rank holds whole, in one buffer, so that one all-reduce sums them all.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "absl/status/status.h"
#include "comm/communicator.h"
#include "model/parameter.h"

namespace ridgeline {

// What gradients are kept in. kBfloat16 where a single pass makes them and rounds its products to it anyway. kFloat64:
// what each pass adds is float32, and the sum over passes and ranks is float64, whose rounding hardly ever shows in
// the float32 that it becomes.
enum class GradientSums { kBfloat16, kFloat32, kFloat64 };

// Gives each of the parameters, which must outlive it, its part of the buffer. Owned and called by one thread.
class Gradients {
 public:
  // `extras` floats travel with them.
  Gradients(std::vector<Parameter*> parameters, GradientSums sums, size_t extras);
  ~Gradients();
  Gradients(const Gradients&) = delete;
  Gradients& operator=(const Gradients&) = delete;

  // Before a step. Does not touch the memory: the first gradient that arrives overwrites it.
  void Clear();
  // Numbers that travel with them, zero after Clear. `value`: a scalar where gradients are; nothing waits for it.
  void AddToExtra(size_t place, const at::Tensor& value);
  void AddToExtra(size_t place, float value) { host_extras_[place] += value; }
  // After each pass: kFloat64 takes away what it has added.
  void EndPass();

  // After the last backward pass of the step: sums over the ranks. float32 buffers travel as they are, bfloat16 ones as
  // float32 in parts.
  absl::Status Sum(Communicator& communicator);
  // Then: (extras) float32, where gradients are.
  const at::Tensor& extras() const { return extras_; }
  int64_t bytes() const;

 private:
  absl::Status SumParts(Communicator& communicator);
  absl::Status SumWide(Communicator& communicator);

  const std::vector<Parameter*> parameters_;
  at::Tensor flat_;  // (elements + extras) in float32, (elements) in bfloat16
  at::Tensor wide_;  // (elements) in float64, of kFloat64.
  int64_t elements_ = 0;
  at::Tensor extras_;  // Of flat_, or beside it where that is bfloat16.
  std::vector<float> host_extras_;
};

}  // namespace ridgeline
