// SPDX-License-Identifier: Apache-2.0
// Jobs and frontier points as text for people. All pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/shared/terminal.h"
#include "ridgeline/v1/frontier.pb.h"
#include "ridgeline/v1/job.pb.h"

namespace ridgeline {

// "2026-11-30 14:32:07Z"; "-" for 0.
std::string TimeText(int64_t unix_ms);

// "running"
std::string StateName(v1::JobState state);
// The same in its colour, padded to the widest state.
std::string StateCell(v1::JobState state, const Style& style);

// 0 to 1; a succeeded job is at 1.
double ProgressFraction(const v1::Job& job);

// One line for a live display: name, state, bar, steps, loss, validation loss, tokens/s, ETA; or why it waits or
// failed. `name_width` aligns the lines of several jobs.
std::string JobLine(const v1::Job& job, int name_width, const Style& style);

// What rank 0 sends to others in a step of the newest attempt, and the share of the attempt's time, set-up and
// evaluations included, that its steps spend in collectives: "a step sends all_reduce 1.2 MiB, all_gather 310 KiB; 12%
// of the attempt's time in its collectives". Empty where nothing was sent.
std::string CollectivesText(const v1::Job& job, int64_t now_unix_ms);

// What to do about how the newest attempt ended; empty where all is well, or the worker did not say why.
std::string RemedyText(const v1::Job& job);

// "5/8 jobs done, 1 running, 2 queued"
std::string SweepSummary(const std::vector<v1::Job>& children);

std::string JobTable(const std::vector<v1::Job>& jobs, int64_t now_unix_ms, const Style& style);

// All about one job, as `get` shows it.
std::string JobDetails(const v1::Job& job, int64_t now_unix_ms);

// Held-out loss in nats per token (and that on the second kind of text where a point has it), accuracy, stored KiB,
// bits per element of the quantized layers, and the energy proxy per token (MACs x weight bits x activation bits x kept
// fraction); joules per token with their source and decoding speed where a point has them. Pareto points carry a *.
std::string PointTable(const std::vector<v1::FrontierPoint>& points, const Style& style);

}  // namespace ridgeline
