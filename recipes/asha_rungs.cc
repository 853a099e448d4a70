// SPDX-License-Identifier: Apache-2.0
#include "recipes/asha_rungs.h"

#include <algorithm>

namespace ridgeline {

std::vector<int64_t> AshaRungs(const v1::Recipe& recipe) {
  const v1::Sweep& sweep = recipe.sweep();
  const int64_t steps = recipe.training().steps();
  const int64_t reduction = std::max(2, sweep.reduction());
  int64_t rung = sweep.min_steps();
  if (rung == 0) rung = std::max<int64_t>(1, steps / (reduction * reduction * reduction));
  std::vector<int64_t> rungs;
  for (; rung < steps; rung *= reduction) rungs.push_back(rung);
  return rungs;
}

bool IsLargerBetter(const std::string& metric) { return metric.ends_with("accuracy"); }

}  // namespace ridgeline
