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
#include "worker/parallel/gradient_wire.h"
#include "worker/parallel/unit_weights.h"

namespace ridgeline {

// Owned and called by one thread; parameters and group must outlive it. Start and Finish are collectives of the group.
class UnitGradients {
 public:
  // `sums`: of each matrix the sum of the gradients of this rank's rows, (rows, columns) float32 or float64, which it
  // adds to.
  // `dtype`: what layers compute in, and so what a pass forms gradients in.
  UnitGradients(std::vector<SharedMatrix> matrices, std::vector<at::Tensor> sums, at::ScalarType dtype,
                GradientDtype wire, Communicator& group);

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
  void AddDecoded(const std::byte* bytes, at::Tensor sum) const;

  const std::vector<SharedMatrix> matrices_;
  const std::vector<at::Tensor> sums_;
  const at::ScalarType dtype_;
  const GradientDtype wire_;
  Communicator& group_;
  std::vector<int64_t> out_sizes_, in_sizes_;  // By rank.
  std::unique_ptr<std::byte[]> outgoing_, incoming_;
  std::unique_ptr<Pending> pending_;
};

}  // namespace ridgeline
