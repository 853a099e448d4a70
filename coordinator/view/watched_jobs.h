// SPDX-License-Identifier: Apache-2.0
// Jobs that are being watched: what is shown of each is made once for all who watch it, and has a version that tells
// them whether it is news.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/view/job_reader.h"

namespace ridgeline {

// Thread-safe. What it is made of must outlive it.
class WatchedJobs {
 public:
  struct View {
    std::shared_ptr<const v1::Job> job;
    int64_t version = 0;  // Counts up from 1.
  };

  WatchedJobs(const JobReader* reader, const Journal* journal) : reader_(reader), journal_(journal) {}

  // One more watches it. NOT_FOUND if there is none. By id from here on: a newer job may take the name.
  absl::StatusOr<View> Add(const std::string& id_or_name);
  void Remove(const std::string& job_id);  // One less.
  View Newest(const std::string& job_id) const;

  // Looks at the jobs again; by one thread at a time. Jobs that no event and no metric can have changed since are
  // looked at less often.
  void Refresh();

 private:
  struct Entry {
    View view;
    int watchers = 0;
  };
  void Update(const std::string& job_id, v1::Job job);

  const JobReader* const reader_;
  const Journal* const journal_;
  int64_t sequence_ = -1;  // Of the state at the last Refresh, whose thread alone uses it.
  int64_t refreshes_ = 0;
  mutable absl::Mutex mutex_;
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ridgeline
