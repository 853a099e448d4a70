// SPDX-License-Identifier: Apache-2.0
// A job as answers show it: the journal's record plus its progress and the reason why it waits.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/control/controller.h"
#include "coordinator/state/journal.h"
#include "coordinator/state/metric_store.h"
#include "ridgeline/v1/job.pb.h"

namespace ridgeline {

// What progress needs of a job's recipe.
inline constexpr std::initializer_list<const char*> kProgressSections = {"training"};

// Where a job stands by its newest metrics. The estimate of the remaining time rests on tokens per second, or else
// on the last step's duration.
v1::Progress MakeProgress(const v1::Job& job, const LatestMetrics& latest);

// "ridge affine int1/int1" (weights/activations), "none" for a model that is not quantized: a short label.
std::string SchemeLabel(const std::string& estimator, const std::string& scheme, const std::string& weight_format,
                        const std::string& activation_format);

// Thread-safe.
class JobViews {
 public:
  JobViews(Journal* journal, MetricStore* store, const Controller* controller)
      : journal_(journal), store_(store), controller_(controller) {}

  // Fills in progress, reason and why it waits of a copy that came from the journal, with at least kProgressSections of
  // its recipe.
  void Complete(v1::Job* job) const;

 private:
  // What a sweep's children come to together, kept until something can have changed.
  struct Sum {
    int64_t sequence = -1;       // Of the state that it was made of.
    int64_t time_ms = 0;         // Monotonic.
    bool has_running = false;    // Their metrics change without an event.
    std::vector<int64_t> steps;  // Each child's training.steps, which never change.
    v1::Progress progress;
  };
  struct ChildView;

  v1::Progress ParentProgress(const v1::Job& parent) const;
  std::vector<ChildView> ChildrenOf(const v1::Job& parent, Sum* sum) const;
  void AddUp(const v1::Job& parent, Sum* sum) const;
  v1::Progress OwnProgress(const v1::Job& job) const;

  Journal* const journal_;
  MetricStore* const store_;
  const Controller* const controller_;
  mutable absl::Mutex mutex_;
  mutable std::map<std::string, Sum> sums_ ABSL_GUARDED_BY(mutex_);  // By the parent's id.
};

}  // namespace ridgeline
