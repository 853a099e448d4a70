// SPDX-License-Identifier: Apache-2.0
// Queues, and why jobs wait in them, as text for people. All pure.
#pragma once

#include <cstdint>
#include <string>

#include "cli/shared/terminal.h"
#include "ridgeline/v1/coordinator.pb.h"

namespace ridgeline {

// A line for each: weight, share, jobs, ranks and rank-hours with their limits ("8/64").
std::string QueueTable(const v1::ListQueuesResponse& queues, const Style& style);

// State and reason; of a job that waits also its queue, who is ahead, and when it should start.
std::string WhyText(const v1::Job& job, int64_t now_unix_ms);

}  // namespace ridgeline
