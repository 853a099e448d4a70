// SPDX-License-Identifier: Apache-2.0
#include "coordinator/control/rate_limit.h"

#include <fmt/format.h>

#include <algorithm>

namespace ridgeline {

absl::Status RateLimit::Take(const std::string& name) {
  const int64_t now_ms = clock_->MonotonicMs();
  absl::MutexLock lock(&mutex_);
  Bucket& bucket = buckets_.try_emplace(name, Bucket{rate_.burst, now_ms}).first->second;
  const double rest_seconds = static_cast<double>(now_ms - bucket.filled_ms) / 1e3;
  bucket.calls = std::min(rate_.burst, bucket.calls + rest_seconds * rate_.per_second);
  bucket.filled_ms = now_ms;
  if (bucket.calls < 1)
    return absl::ResourceExhaustedError(
        fmt::format("'{}' calls more than {:.0f} times a second; call less often, or watch instead of asking again",
                    name, rate_.per_second));
  bucket.calls -= 1;
  return absl::OkStatus();
}

}  // namespace ridgeline
