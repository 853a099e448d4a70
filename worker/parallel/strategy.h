// SPDX-License-Identifier: Apache-2.0
// How a model's training is spread over the ranks of a group. A strategy owns what training keeps beside the model,
// gradients and the optimizer's state, decides when weights are quantized anew, and says what a checkpoint holds. The
// step loop does not know which one it has.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "method/quantizer_spec.h"
#include "worker/parallel/state_shards.h"

namespace ridgeline {

struct StepSums {
  double gradient_norm = 0;   // L2, of what the gradients have become, over all.
  std::vector<float> extras;  // Their sums.
};

// Bytes that a strategy keeps beside the model as long as it lives.
struct StrategyMemory {
  int64_t gradient_bytes = 0, optimizer_bytes = 0;
};

// Owned and called by one thread of its rank. Every rank calls the same functions in the same order, so they may be
// collectives; only SetSparsity, ClearGradients, EndPass, State and Restore are not: a rank that has failed before may
// leave them out. LibTorch's exceptions pass through.
class Strategy {
 public:
  virtual ~Strategy() = default;

  // A step begins with these two. Weights have the pattern from now on; they are quantized anew if it is another one.
  virtual void SetSparsity(const SparsityPattern& pattern) = 0;
  // Gradients are empty and extras zero: backward passes may add to the gradients of the model's parameters.
  virtual void ClearGradients() = 0;
  // Between two backward passes of a step, and after the last: where sums are float64, what the pass has added goes
  // there.
  virtual void EndPass() = 0;
  // Numbers of the caller's, as many places as it asked for, that are summed with the gradients. `value`: a scalar on
  // the model's device, which nobody waits for.
  virtual void AddToExtra(size_t place, const at::Tensor& value) = 0;
  virtual void AddToExtra(size_t place, float value) = 0;
  // After the last backward pass of the step: sums over the ranks. Errors are the communicator's.
  virtual absl::Status ReduceGradients() = 0;
  // Then takes each gradient through its quantizer, and reads, in the step's one wait for a device, what all ranks get:
  virtual absl::StatusOr<StepSums> PassThroughQuantizers() = 0;
  // Then steps the masters by their gradients times `gradient_scale`, and quantizes them. A step may do without.
  virtual void Step(double learning_rate, double gradient_scale) = 0;

  // This rank's part of what a checkpoint holds: masters under their parameters' names and "optimizer.*", views for
  // saving. The ranks' parts together are each row of each tensor once. Not a collective.
  virtual std::vector<StateShard> State() const = 0;
  // Goes on from a checkpoint, with the pattern that the weights had then, and quantizes them. DATA_LOSS names what the
  // checkpoint lacks or has in another shape or dtype.
  virtual absl::Status Restore(StateSource& source, const SparsityPattern& pattern) = 0;

  virtual StrategyMemory Memory() const = 0;

  // LanguageModel::WeightErrorRatio of the whole model, on rank 0; others may get any number.
  virtual absl::StatusOr<double> WeightErrorRatio() = 0;
  // Ends training: the model of rank 0 is whole from now on, as one that was made there alone. Those of other ranks can
  // be used no more, where they were not whole before.
  virtual absl::Status AssembleOnRoot() = 0;
};

}  // namespace ridgeline
