// SPDX-License-Identifier: Apache-2.0
// What a job will need before it runs: parameters, memory of a rank, work and traffic of a step, and what the trained
// model costs. Counted from the recipe alone; no tensor is made. Says what the trainer does: ranks hold everything, or
// share it as the recipe's parallelism says. Pure but for opening the files of model.path.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "plan/degrees.h"
#include "plan/device.h"
#include "plan/memory.h"
#include "plan/network.h"
#include "plan/parameters.h"
#include "plan/work.h"
#include "quant/cost/accounting.h"

namespace ridgeline {

struct Plan {
  std::string name;   // The job's.
  std::string model;  // "gemma3-1b"
  int64_t ranks = 1;
  Degrees degrees;
  int64_t idle_ranks = 0;  // Those that a step has no sequence for.
  BatchSplit batch;
  ParameterCounts parameters;
  MemoryPlan memory;
  WorkPlan work;
  ModelCost cost;
  double asked_bytes = 0;  // resources.memory; 0: it asks for none.

  double needed_bytes(const Device& device) const {
    return static_cast<double>(memory.peak_bytes()) + device.runtime_bytes;
  }
  bool is_shared() const { return degrees.shard > 1; }
  // Whether the job may be given to ranks that have what it asks for, and less than it needs.
  bool asks_too_little(const Device& device) const { return asked_bytes > 0 && asked_bytes < needed_bytes(device); }
  bool fits(const Device& device) const { return needed_bytes(device) <= device.memory_bytes; }
};

// REQUIRES: the recipe's defaults are filled in and it is no sweep; ranks > 0. `vocab_size`: the dataset's; 0 if it is
// not known, which suits shapes with a vocabulary of their own. INVALID_ARGUMENT and NOT_FOUND name the key, also where
// the recipe's degrees do not come to `ranks`.
absl::StatusOr<Plan> PlanJob(const v1::Recipe& recipe, int64_t vocab_size, int64_t ranks, const Device& device);

}  // namespace ridgeline
