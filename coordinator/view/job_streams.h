// SPDX-License-Identifier: Apache-2.0
// The two streams that people follow. Both look at the newest state each time, so a slow reader costs no memory.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "coordinator/view/job_reader.h"
#include "ridgeline/v1/coordinator.pb.h"

namespace ridgeline {

// How often a stream looks for new metrics, log lines and a client that went away.
inline constexpr int64_t kStreamTickMs = 200;

// `write` returns false when the client is gone; `gone` is asked at least every kStreamTickMs.
absl::Status FollowJob(const JobReader* reader, Journal* journal, const std::string& id_or_name,
                       const std::function<bool(const v1::Job&)>& write, const std::function<bool()>& gone);
absl::Status FollowLogs(const JobReader* reader, Journal* journal, MetricStore* store,
                        const v1::StreamLogsRequest& request, const std::function<bool(const v1::LogLine&)>& write,
                        const std::function<bool()>& gone);

}  // namespace ridgeline
