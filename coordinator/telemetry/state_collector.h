// SPDX-License-Identifier: Apache-2.0
// Prometheus gauges that describe the state, made anew at each scrape: series appear and go with what they describe.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <string>
#include <vector>

#include "common/clock.h"
#include "coordinator/fleet/fleet.h"
#include "coordinator/state/journal.h"
#include "coordinator/state/metric_store.h"

namespace ridgeline {

// Thread-safe. What it is made of must outlive it.
class StateCollector final : public prometheus::Collectable {
 public:
  // Series with a job_id are dropped `series_grace_ms` after the job ended.
  StateCollector(Journal* journal, MetricStore* store, const Fleet* fleet, const Clock* clock, int64_t series_grace_ms)
      : journal_(journal), store_(store), fleet_(fleet), clock_(clock), series_grace_ms_(series_grace_ms) {}

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  class Families;

  void CollectQueue(Families& families) const;
  void CollectWorkers(Families& families) const;
  void CollectJobs(Families& families) const;
  static void CollectPoint(const std::string& job_id, const v1::MetricPoint& point, Families& families);
  void CollectFrontier(Families& families) const;
  std::vector<v1::Job> VisibleJobs() const;

  Journal* const journal_;
  MetricStore* const store_;
  const Fleet* const fleet_;
  const Clock* const clock_;
  const int64_t series_grace_ms_;
};

}  // namespace ridgeline
