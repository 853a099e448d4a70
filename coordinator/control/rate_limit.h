// SPDX-License-Identifier: Apache-2.0
// How often each caller may call: a bucket a token, which fills steadily and which each call takes one from.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"

namespace ridgeline {

struct CallRate {
  double per_second = 1'000;
  double burst = 10'000;  // At once, after a rest.
};

// Thread-safe. Remembers each name: those of tokens, of which there are 10,000 at most.
class RateLimit {
 public:
  RateLimit(const Clock* clock, const CallRate& rate) : clock_(clock), rate_(rate) {}
  // RESOURCE_EXHAUSTED if `name` has called too often.
  absl::Status Take(const std::string& name);

 private:
  struct Bucket {
    double calls = 0;
    int64_t filled_ms = 0;  // Monotonic.
  };

  const Clock* const clock_;
  const CallRate rate_;
  absl::Mutex mutex_;
  std::map<std::string, Bucket> buckets_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ridgeline
