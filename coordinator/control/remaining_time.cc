// SPDX-License-Identifier: Apache-2.0
#include "coordinator/control/remaining_time.h"

#include <algorithm>
#include <cstdint>

namespace ridgeline {

double RemainingSeconds(const v1::Training& training, const v1::MetricPoint& point) {
  const auto steps_left = static_cast<double>(std::max<int64_t>(0, training.steps() - point.step()));
  if (point.tokens_per_second() > 0) {
    const double tokens_per_step = double{1} * training.seq_len() * training.global_batch_size();
    return steps_left * tokens_per_step / point.tokens_per_second();
  }
  return steps_left * point.step_seconds();
}

}  // namespace ridgeline
