// SPDX-License-Identifier: Apache-2.0
// What a rank sends in one optimizer step. Pure functions.
#pragma once

#include <cstdint>

#include "plan/degrees.h"
#include "plan/units.h"

namespace ridgeline {

// Bytes, of the rank that sends most.
struct Traffic {
  double gathers = 0;    // Weights of shared units.
  double gradients = 0;  // Of shared units within a copy; of everything where nothing is shared.
  double rest = 0;       // Sums over the copies, and of what every rank holds.

  double total() const { return gathers + gradients + rest; }
};

// How often a step passes through the network, and what each pass does.
struct PassPlan {
  int64_t passes = 1;  // Of the rank that has most micro-batches; the others take part in each.
  bool reshards = true;
  int64_t sum_bytes = 4;  // Of a number, where gradients are summed over all ranks or over copies (SumBytes).
};

// Bytes of a number in which gradients are summed over passes and ranks: float32, or float64 with
// training.deterministic, which then has a float32 beside it.
int64_t SumBytes(const v1::Training& training);

// A ring: each rank sends 2 (ranks - 1) / ranks of the bytes.
double AllReduceBytes(double bytes, int64_t ranks);

Traffic ReplicatedTraffic(int64_t parameters, int64_t ranks, int64_t sum_bytes);
Traffic SharedTraffic(const SharedModel& model, const Degrees& degrees, const PassPlan& pass);

// What fully sharded data parallelism in bfloat16 would send for a network of so many parameters in as many passes: two
// gathers and a reduction of 2 bytes each within a copy, and the sum of gradients over the copies in 2 bytes.
double FsdpBytes(int64_t parameters, const Degrees& degrees, const PassPlan& pass);

}  // namespace ridgeline
