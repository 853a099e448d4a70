// SPDX-License-Identifier: Apache-2.0
// One reader's way through the log lines of a job. They come from the disk, so that a slow reader costs no memory.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "coordinator/view/job_reader.h"

namespace ridgeline {

// Not thread-safe. What it is made of must outlive it.
class LogFollower {
 public:
  // NOT_FOUND, or FAILED_PRECONDITION for a sweep, which has no lines of its own.
  static absl::StatusOr<LogFollower> Start(const JobReader* reader, MetricStore* store,
                                           const v1::StreamLogsRequest& request);

  // The next line; none while there is none, or after the last one.
  absl::StatusOr<std::optional<v1::LogLine>> Next();
  // No line will come any more.
  bool is_over() const { return is_over_; }

 private:
  LogFollower() = default;
  absl::Status ReadPage();

  const JobReader* reader_ = nullptr;
  MetricStore* store_ = nullptr;
  std::string job_id_;
  bool follow_ = false;
  std::optional<int32_t> rank_;
  LogCursor cursor_;
  std::deque<v1::LogLine> page_;
  bool is_over_ = false;
};

}  // namespace ridgeline
