// SPDX-License-Identifier: Apache-2.0
// Following a job or a sweep until it ends, as `watch` and `submit --follow` do.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/shared/client.h"
#include "cli/shared/output.h"
#include "cli/shared/terminal.h"

namespace ridgeline {

// A job now, and its children if it is the parent of a sweep.
struct JobSnapshot {
  v1::Job job;
  std::vector<v1::Job> children;
};

// The lines of a live display, no more than the terminal is high: finished and waiting children give way to a count.
std::vector<std::string> LiveLines(const JobSnapshot& snapshot, const Style& style);

// Decides which lines to print where nothing can be redrawn: one when a job changes its state or has started, and
// one each `interval_ms` while it trains.
class PlainProgress {
 public:
  explicit PlainProgress(int64_t interval_ms) : interval_ms_(interval_ms) {}
  std::vector<std::string> Update(const JobSnapshot& snapshot, int64_t now_ms);

 private:
  struct Printed {
    std::string situation;  // State, and whether it is still starting.
    int64_t time_ms = 0;
  };
  int64_t interval_ms_;
  std::map<std::string, Printed> printed_;  // By job id.
};

// Shows progress on standard error until the job is terminal, then the outcome on standard output: final states, and
// the frontier points if there are any; in another format than a table the job itself, as `get` prints it. Returns the
// exit code for the job's state. CANCELLED after Ctrl-C.
absl::StatusOr<int> FollowJob(const Client& client, const std::string& job, OutputFormat format = OutputFormat::kTable);

}  // namespace ridgeline
