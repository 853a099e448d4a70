// SPDX-License-Identifier: Apache-2.0
#include "coordinator/telemetry/collective_totals.h"

#include <utility>

#include "coordinator/fleet/record_rules.h"

namespace ridgeline {

CollectiveTotals::CollectiveTotals() {
  absl::MutexLock lock(&mutex_);
  for (const char* operation : kCollectiveOperations) by_operation_[operation] = {};
}

void CollectiveTotals::Add(const CollectiveCountList& more) {
  absl::MutexLock lock(&mutex_);
  for (const v1::CollectiveCount& count : more) {
    Total& total = by_operation_[count.operation()];
    total.calls += static_cast<double>(count.calls());
    total.bytes += static_cast<double>(count.bytes());
    total.seconds += count.seconds();
  }
}

// A summary without quantiles: counts and sums are all that groups send.
std::vector<prometheus::MetricFamily> CollectiveTotals::Collect() const {
  prometheus::MetricFamily bytes{.name = "ridgeline_collective_bytes_total",
                                 .help = "Bytes that ranks 0 have sent to other ranks, by collective operation",
                                 .type = prometheus::MetricType::Counter,
                                 .metric = {}};
  prometheus::MetricFamily durations{.name = "ridgeline_collective_duration_seconds",
                                     .help = "Time that ranks 0 have spent in collective operations, and their number",
                                     .type = prometheus::MetricType::Summary,
                                     .metric = {}};
  absl::MutexLock lock(&mutex_);
  for (const auto& [operation, total] : by_operation_) {
    prometheus::ClientMetric& sent = bytes.metric.emplace_back();
    sent.label.push_back({"op", operation});
    sent.counter.value = total.bytes;
    prometheus::ClientMetric& spent = durations.metric.emplace_back();
    spent.label.push_back({"op", operation});
    spent.summary.sample_count = static_cast<uint64_t>(total.calls);
    spent.summary.sample_sum = total.seconds;
  }
  return {std::move(bytes), std::move(durations)};
}

}  // namespace ridgeline
