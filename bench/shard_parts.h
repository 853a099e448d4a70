// SPDX-License-Identifier: Apache-2.0
// What shard_bench measures between the ranks of an MPI job: a function a part, each of which returns a table. All
// ranks call it; the table is rank 0's.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "comm/communicator.h"

namespace ridgeline {

struct BenchTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

// The best of several rounds, in seconds, of two ways to do the same, in turns. A round begins when all ranks are there
// and lasts until the last is done.
struct BestSeconds {
  double ours = 0, peer = 0;
};
absl::StatusOr<BestSeconds> MeasureTogether(const std::function<absl::Status()>& ours,
                                            const std::function<absl::Status()>& peer, int rounds);

// Collectives of comm/ beside MPI's own. INTERNAL where the two differ in what they leave.
absl::StatusOr<BenchTable> MeasureCollectives(Communicator& ranks);

// Gradients to and from what they travel in, on one thread of rank 0, beside a copy; and what that costs in digits.
absl::StatusOr<BenchTable> MeasureGradients(Communicator& ranks);

}  // namespace ridgeline
