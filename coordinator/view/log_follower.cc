// SPDX-License-Identifier: Apache-2.0
#include "coordinator/view/log_follower.h"

#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "coordinator/state/log_cursor.h"

namespace ridgeline {
namespace {

constexpr int64_t kPageLines = 64;

}  // namespace

absl::StatusOr<LogFollower> LogFollower::Start(const JobReader* reader, MetricStore* store,
                                               const v1::StreamLogsRequest& request) {
  ASSIGN_OR_RETURN(const v1::Job job, reader->FindRunnable(request.job()));
  LogFollower follower;
  follower.reader_ = reader;
  follower.store_ = store;
  follower.job_id_ = job.id();  // A newer job may take the name.
  follower.follow_ = request.follow();
  if (request.has_rank()) follower.rank_ = request.rank();
  if (request.after_cursor() > 0) follower.cursor_ = UnpackLogCursor(request.after_cursor());
  return follower;
}

absl::StatusOr<std::optional<v1::LogLine>> LogFollower::Next() {
  if (page_.empty() && !is_over_) RETURN_IF_ERROR(ReadPage());
  if (page_.empty()) return std::nullopt;
  std::optional<v1::LogLine> line = std::move(page_.front());
  page_.pop_front();
  return line;
}

absl::Status LogFollower::ReadPage() {
  // The state is looked at before the lines: lines that come before the end are then never missed.
  ASSIGN_OR_RETURN(const v1::JobState state, reader_->StateOf(job_id_));
  ASSIGN_OR_RETURN(const std::vector<v1::LogLine> lines, store_->ReadLogs(job_id_, rank_, kPageLines, &cursor_));
  page_.assign(lines.begin(), lines.end());
  is_over_ = lines.empty() && (!follow_ || IsTerminal(state));
  return absl::OkStatus();
}

}  // namespace ridgeline
