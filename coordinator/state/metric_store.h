// SPDX-License-Identifier: Apache-2.0
// Curves and log lines of all jobs, in an SQLite file of their own, so that their volume never slows the journal.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/state/metric_history.h"
#include "coordinator/state/sqlite.h"
#include "ridgeline/v1/job.pb.h"

namespace ridgeline {

// The newest value of every series of a job.
struct LatestMetrics {
  int64_t epoch = 0;  // 0: nothing was reported yet.
  v1::MetricPoint point;
  int64_t nonfinite_steps = 0;
};

// Where a reader of log lines stands.
struct LogCursor {
  int64_t epoch = 0;
  int64_t sequence = 0;
  int64_t line = -1;
};

// Thread-safe. What Append returned OK for is durable.
class MetricStore {
 public:
  static absl::StatusOr<std::unique_ptr<MetricStore>> Open(const std::string& path, const std::string& vfs = "",
                                                           const HistoryLimits& limits = {});

  // One row a step: a newer epoch replaces it, the same epoch adds to it, an older one changes nothing. Returns the
  // points that brought something new. RESOURCE_EXHAUSTED when the disk is full: then none of the batch is stored.
  absl::StatusOr<std::vector<v1::MetricPoint>> AppendMetrics(
      const std::string& job_id, int64_t epoch, const google::protobuf::RepeatedPtrField<v1::MetricPoint>& points);

  // Idempotent by (job, epoch, sequence of the message, position in it).
  absl::Status AppendLogs(const std::string& job_id, int64_t epoch, int64_t sequence,
                          const google::protobuf::RepeatedPtrField<v1::LogLine>& lines);

  // In order of steps, at most `limit`.
  absl::StatusOr<std::vector<v1::MetricPoint>> ReadMetrics(const std::string& job_id, int64_t after_step,
                                                           int64_t limit);

  // The lines after the cursor, which moves past them; at most `limit`. The first says how many are no longer kept, if
  // the cursor stands among those.
  absl::StatusOr<std::vector<v1::LogLine>> ReadLogs(const std::string& job_id, std::optional<int32_t> rank,
                                                    int64_t limit, LogCursor* cursor);

  absl::StatusOr<LatestMetrics> Latest(const std::string& job_id);

  // Whether the file holds more than HistoryLimits::total_bytes, or than that share of it.
  absl::StatusOr<bool> IsOver(double share = 1) const;
  // Leaves of a job that has ended what HistoryLimits has for such.
  absl::Status ShrinkEnded(const std::string& job_id);
  int64_t SizeBytes() const;  // Of its files; space that is freed is used again, not given back.

 private:
  struct Held {  // Rows of a job.
    int64_t points = 0, lines = 0;
  };
  MetricStore(std::string path, SqliteDatabase db, const HistoryLimits& limits);
  absl::StatusOr<bool> Upsert(const std::string& job_id, int64_t epoch, const v1::MetricPoint& point, Held* held)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Held*> LoadHeld(const std::string& job_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<LatestMetrics*> LoadLatest(const std::string& job_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status ReadLatest(const std::string& job_id, LatestMetrics* latest) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string path_;
  const HistoryLimits limits_;
  mutable absl::Mutex mutex_;
  SqliteDatabase db_ ABSL_GUARDED_BY(mutex_);
  std::unordered_map<std::string, LatestMetrics> latest_ ABSL_GUARDED_BY(mutex_);  // Of the jobs asked about.
  std::unordered_map<std::string, Held> held_ ABSL_GUARDED_BY(mutex_);             // Of those that sent something.
};

}  // namespace ridgeline
