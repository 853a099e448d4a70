// SPDX-License-Identifier: Apache-2.0
// How a recipe spreads the ranks of a group: so many share one copy of the model, and there are so many copies. The
// worker trains by it, plan/ counts by it. Pure functions.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "ridgeline/v1/recipe.pb.h"

namespace ridgeline {

struct Degrees {
  int64_t shard = 1;      // 1: every rank holds everything.
  int64_t replicate = 1;  // shard * replicate is the number of ranks.
};

// A degree of 0 is what the other leaves. A recipe that was filled in before there was parallelism has no degrees: its
// ranks hold everything. INVALID_ARGUMENT, with key and remedy, where the degrees do not come to `ranks`.
// REQUIRES: ranks > 0
absl::StatusOr<Degrees> DegreesOf(const v1::Parallelism& parallelism, int64_t ranks);

// True, the default, in such a recipe, too.
bool ReshardsAfterForward(const v1::Parallelism& parallelism);

}  // namespace ridgeline
