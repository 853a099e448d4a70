// SPDX-License-Identifier: Apache-2.0
#include "coordinator/view/job_streams.h"

#include <google/protobuf/util/message_differencer.h>

#include "common/status_macros.h"

namespace ridgeline {
namespace {

constexpr int64_t kLogPage = 256;

absl::Status ClientGone() { return absl::CancelledError("the client went away"); }

}  // namespace

absl::Status FollowJob(const JobReader* reader, Journal* journal, const std::string& id_or_name,
                       const std::function<bool(const v1::Job&)>& write, const std::function<bool()>& gone) {
  // By id from here on: a newer job may take the name.
  ASSIGN_OR_RETURN(v1::Job sent, reader->Get(id_or_name));
  if (!write(sent)) return ClientGone();
  int64_t seen = 0;
  while (!IsTerminal(sent.state())) {
    seen = journal->changes().Wait(seen, kStreamTickMs);
    if (gone()) return ClientGone();
    ASSIGN_OR_RETURN(v1::Job now, reader->Get(sent.id()));
    if (google::protobuf::util::MessageDifferencer::Equals(now, sent)) continue;
    if (!write(now)) return ClientGone();
    sent = std::move(now);
  }
  return absl::OkStatus();
}

absl::Status FollowLogs(const JobReader* reader, Journal* journal, MetricStore* store,
                        const v1::StreamLogsRequest& request, const std::function<bool(const v1::LogLine&)>& write,
                        const std::function<bool()>& gone) {
  ASSIGN_OR_RETURN(v1::Job job, reader->FindRunnable(request.job()));
  const std::optional<int32_t> rank = request.has_rank() ? std::optional(request.rank()) : std::nullopt;
  LogCursor cursor;
  int64_t seen = 0;
  while (true) {
    // The state is looked at before the lines: lines that come before the end are then never missed.
    ASSIGN_OR_RETURN(job, reader->Find(job.id()));
    ASSIGN_OR_RETURN(const std::vector<v1::LogLine> lines, store->ReadLogs(job.id(), rank, kLogPage, &cursor));
    for (const v1::LogLine& line : lines) {
      if (!write(line)) return ClientGone();
    }
    if (gone()) return ClientGone();
    if (!lines.empty()) continue;
    if (!request.follow() || IsTerminal(job.state())) return absl::OkStatus();
    seen = journal->changes().Wait(seen, kStreamTickMs);
  }
}

}  // namespace ridgeline
