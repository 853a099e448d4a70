// SPDX-License-Identifier: Apache-2.0
// What worker groups have exchanged since this program started, by operation, for Prometheus.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/fleet/collectives_since.h"

namespace ridgeline {

// Thread-safe. Every operation has its series from the start, so that rate() sees the first call.
class CollectiveTotals final : public prometheus::Collectable {
 public:
  CollectiveTotals();

  void Add(const CollectiveCountList& more);
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  struct Total {
    double calls = 0, bytes = 0, seconds = 0;
  };
  mutable absl::Mutex mutex_;
  std::map<std::string, Total> by_operation_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ridgeline
