// SPDX-License-Identifier: Apache-2.0
// How much of what ranks exchange hides behind what they compute. A model of a step, not a measurement. Pure functions.
#pragma once

#include <vector>

#include "plan/device.h"
#include "plan/traffic.h"

namespace ridgeline {

// Seconds that one pass computes; all 0 where the rate is not known.
struct PassSeconds {
  std::vector<double> forward;   // Each block's.
  std::vector<double> backward;  // With what is computed again.
  double head = 0;               // Both.
};

struct WireSeconds {
  double all = 0;
  double exposed = 0;  // What nothing is computed behind.
};

// Bytes a second that a rank sends within groups of so many neighbours: the node's link where they fit into one.
double LinkOf(const Device& device, int64_t ranks);

// One all-reduce after the last backward pass.
WireSeconds ReplicatedSeconds(const Traffic& traffic, const Device& device, int64_t ranks);

// While a block computes, another is gathered: the next of the forward pass, or from its last block on, one with each
// block and with the head, those of the backward pass. There the gradient of the block before is sent beside it, one
// after the other on one link. What takes longer than the block is exposed. So are the first gathers of a pass, the
// last gradients, and what is summed after the last pass. Ranks of a copy are neighbours.
WireSeconds SharedSeconds(const SharedModel& model, const Degrees& degrees, const PassPlan& pass,
                          const PassSeconds& compute, double rest_bytes, const Device& device);

}  // namespace ridgeline
