// SPDX-License-Identifier: Apache-2.0
// What a rank can do with the others of its group. Injected everywhere, never global.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace ridgeline {

// Every rank calls the same collectives in the same order, from one thread. A collective that does not end within the
// time-out is DEADLINE_EXCEEDED with its name (`what`) and, where they can be told, the ranks that hang; the group is
// then unusable.
class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  // Element-wise sums over the ranks, in place, the same bits on every rank.
  virtual absl::Status AllReduceSum(std::span<float> values, const char* what) = 0;
  virtual absl::Status AllReduceSum(std::span<double> values, const char* what) = 0;

  // Rank 0's bytes on every rank.
  virtual absl::Status BroadcastFromRoot(std::string* bytes, const char* what) = 0;

  // The same, where the others wait politely (without spinning) and without time-out until rank 0 comes: it is how idle
  // ranks wait. Rank 0 itself may be done before they have come.
  virtual absl::Status AwaitRoot(std::string* bytes, const char* what) = 0;

  // Every rank's bytes, by rank, on rank 0; empty on the others.
  virtual absl::Status GatherToRoot(const std::string& bytes, std::vector<std::string>* by_rank, const char* what) = 0;
};

}  // namespace ridgeline
