// SPDX-License-Identifier: Apache-2.0
// The gradients of one unit's matrices on their way from the ranks that formed them, whole, to those that have their
// rows, where they are summed.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "comm/communicator.h"
#include "model/kernels/gradient_wire.h"
#include "worker/parallel/unit_weights.h"

namespace ridgeline {

// Owned and called by one thread; parameters and group must outlive it. Start and Finish are collectives of the group.
class UnitGradients {
 public:
  // `sums`: of each matrix the sum of the gradients of this rank's rows, (rows, columns) float32 or float64, which it
  // adds to.
  // `numbers`: dtype and device of what a pass forms gradients in. `ops`: the model's.
  UnitGradients(std::vector<SharedMatrix> matrices, std::vector<at::Tensor> sums, const at::TensorOptions& numbers,
                GradientDtype wire, const Ops& ops, Communicator& group);

  // Before a backward pass through the unit: `gradient` of its parameters is whole and empty.
  void Allocate();
  // After it: takes those away and begins to send them. `seed` is that of int8's rounding: no two calls of a run, on
  // any rank, should share one.
  absl::Status Start(uint64_t seed);
  // Ends it: adds what has come, in the order of ranks.
  absl::Status Finish();
  void Poll();
  bool is_under_way() const { return pending_ != nullptr; }

 private:
  int64_t NumbersOf(const SharedMatrix& matrix, size_t rank) const;
  void Encode(uint64_t seed);

  const std::vector<SharedMatrix> matrices_;
  std::vector<at::Tensor> sums_;
  const at::TensorOptions numbers_;
  const GradientDtype wire_;
  const Ops& ops_;
  Communicator& group_;
  std::vector<int64_t> out_sizes_, in_sizes_;  // By rank.
  at::Tensor outgoing_, incoming_;             // Bytes where layers compute.
  std::unique_ptr<Pending> pending_;
};

}  // namespace ridgeline
