// SPDX-License-Identifier: Apache-2.0
// Polls a job and its children: one source for single jobs and sweeps, and nothing to resume after a broken stream.
#include "cli/shared/follow.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "cli/shared/exit_code.h"
#include "cli/shared/job_text.h"
#include "common/interrupt.h"
#include "common/print.h"
#include "common/status_macros.h"
#include "frontier/pareto.h"

namespace ridgeline {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLiveInterval(500);
constexpr int64_t kPlainInterval_ms = 5'000;

absl::StatusOr<JobSnapshot> TakeSnapshot(const Client& client, const std::string& job) {
  JobSnapshot snapshot;
  ASSIGN_OR_RETURN(snapshot.job, client.GetJob(job));
  if (snapshot.job.child_ids().empty()) return snapshot;
  v1::ListJobsRequest request;
  request.set_parent_id(snapshot.job.id());
  request.set_omit_recipes(true);
  ASSIGN_OR_RETURN(snapshot.children, client.ListJobs(request));
  return snapshot;
}

int NameWidth(const std::vector<v1::Job>& jobs) {
  int width = 0;
  for (const v1::Job& job : jobs) width = std::max(width, DisplayWidth(job.name()));
  return std::min(width, 32);
}

// Running first, then what failed, then the newest finished, then the queue; shown again in order of submission.
std::vector<v1::Job> MostTelling(const std::vector<v1::Job>& children, size_t room) {
  const auto rank = [](const v1::Job& job) {
    return job.state() == v1::RUNNING ? 0 : job.state() == v1::FAILED ? 1 : IsTerminal(job.state()) ? 2 : 3;
  };
  std::vector<size_t> order(children.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return rank(children[a]) < rank(children[b]); });
  order.resize(std::min(room, order.size()));
  std::sort(order.begin(), order.end());
  std::vector<v1::Job> shown;
  for (const size_t i : order) shown.push_back(children[i]);
  return shown;
}

// Below the job's own line, where there is anything to say.
void AddCollectives(const v1::Job& job, std::vector<std::string>* lines) {
  const std::string text = CollectivesText(job, SystemClock().WallUnixMs());
  if (!text.empty() && job.state() == v1::RUNNING) lines->push_back("        " + text);
}

absl::Status Detached(const std::string& job) {
  return absl::CancelledError(fmt::format("detached; {} goes on (`ridgeline watch {}` follows it again)", job, job));
}

absl::StatusOr<JobSnapshot> FollowUntilTerminal(const Client& client, std::string job) {
  const bool live = IsTty(stderr);
  const Client once = client.WithPolicy({milliseconds(10'000), milliseconds(0)});
  Reconnector reconnector(client.address(), SystemClock());
  LiveBlock block(stderr);
  PlainProgress plain(kPlainInterval_ms);
  while (true) {
    absl::StatusOr<JobSnapshot> snapshot = TakeSnapshot(once, job);
    if (Interrupted()) return Detached(job);
    if (!snapshot.ok()) {
      block.Clear();
      RETURN_IF_ERROR(reconnector.Failed(snapshot.status()));
      continue;
    }
    reconnector.Worked();
    job = snapshot->job.id();  // From here on: a newer job may take the name.
    if (live) {
      block.Draw(LiveLines(*snapshot, StyleOf(stderr)));
    } else {
      for (const std::string& line : plain.Update(*snapshot, SystemClock().MonotonicMs())) {
        PrintErr("{}\n", line);
      }
    }
    if (IsTerminal(snapshot->job.state())) {
      block.Clear();
      return snapshot;
    }
    if (!SleepUnlessInterrupted(kLiveInterval)) return Detached(job);
  }
}

absl::Status PrintOutcome(const Client& client, const JobSnapshot& snapshot) {
  const Style style = StyleOf(stdout);
  std::vector<v1::Job> jobs = {snapshot.job};
  jobs.insert(jobs.end(), snapshot.children.begin(), snapshot.children.end());
  WriteOut(JobTable(jobs, SystemClock().WallUnixMs(), style));
  v1::ListPointsRequest request;
  request.set_job(snapshot.job.id());
  ASSIGN_OR_RETURN(std::vector<v1::FrontierPoint> points, client.ListPoints(request));
  if (points.empty()) return absl::OkStatus();
  MarkPareto(&points);
  PrintOut("\n{}", PointTable(points, style));
  return absl::OkStatus();
}

}  // namespace

std::vector<std::string> LiveLines(const JobSnapshot& snapshot, const Style& style) {
  std::vector<std::string> lines;
  if (snapshot.children.empty()) {
    lines.push_back(JobLine(snapshot.job, DisplayWidth(snapshot.job.name()), style));
    AddCollectives(snapshot.job, &lines);
  } else {
    const auto room = static_cast<size_t>(std::max(1, style.height - 3));
    const std::vector<v1::Job> shown = MostTelling(snapshot.children, room);
    for (const v1::Job& child : shown) lines.push_back(JobLine(child, NameWidth(snapshot.children), style));
    std::string summary =
        fmt::format("{}  {}: {}", snapshot.job.id(), snapshot.job.name(), SweepSummary(snapshot.children));
    if (shown.size() < snapshot.children.size()) {
      summary += fmt::format(" ({} not shown)", snapshot.children.size() - shown.size());
    }
    lines.push_back(summary);
  }
  // One column is kept free: a full line would wrap on some terminals.
  for (std::string& line : lines) line = FitWidth(line, style.width - 1);
  return lines;
}

std::vector<std::string> PlainProgress::Update(const JobSnapshot& snapshot, int64_t now_ms) {
  const bool sweep = !snapshot.children.empty();
  const std::vector<v1::Job> jobs = sweep ? snapshot.children : std::vector<v1::Job>{snapshot.job};
  const bool first = printed_.empty();
  std::vector<std::string> lines;
  for (const v1::Job& job : jobs) {
    const std::string situation = StateName(job.state()) + (job.progress().phase() == "starting" ? "/starting" : "");
    const auto [entry, added] = printed_.try_emplace(job.id());
    const bool state_changed = added || entry->second.situation != situation;
    const bool due = job.state() == v1::RUNNING && now_ms - entry->second.time_ms >= interval_ms_;
    if (!state_changed && !due) continue;
    entry->second = {situation, now_ms};
    // The queue of a sweep is told by its summary.
    if (sweep && job.state() == v1::QUEUED && first) continue;
    lines.push_back(JobLine(job, NameWidth(jobs), Style{}));
    if (!sweep) AddCollectives(job, &lines);
    if (sweep && IsTerminal(job.state())) lines.back() += "  (" + SweepSummary(jobs) + ")";
  }
  if (sweep && first) lines.insert(lines.begin(), SweepSummary(jobs));
  return lines;
}

absl::StatusOr<int> FollowJob(const Client& client, const std::string& job, OutputFormat format) {
  CatchInterrupts();
  ASSIGN_OR_RETURN(const JobSnapshot snapshot, FollowUntilTerminal(client, job));
  if (format == OutputFormat::kTable) {
    RETURN_IF_ERROR(PrintOutcome(client, snapshot));
  } else if (format == OutputFormat::kName) {
    PrintOut("{}\n", snapshot.job.id());
  } else {
    ASSIGN_OR_RETURN(const std::string text, FormatMessage(snapshot.job, format));
    WriteOut(text);
  }
  return ExitCodeOf(snapshot.job.state());
}

}  // namespace ridgeline
