// SPDX-License-Identifier: Apache-2.0
#include "coordinator/control/history_keeper.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "common/status_macros.h"

namespace ridgeline {
namespace {

constexpr int64_t kIntervalMs = 30'000;
constexpr double kEnough = 0.9;  // Of the limit; so that not every look finds a little too much.

using Ended = std::pair<int64_t, std::string>;  // When, and which job.

std::vector<Ended> EndedOldestFirst(const Journal& journal) {
  std::vector<Ended> ended;
  journal.Read([&](const CoordinatorState& state) {
    for (const auto& [number, job] : state.jobs())
      if (IsTerminal(job.state()) && !IsParent(job)) ended.emplace_back(job.end_unix_ms(), job.id());
    return true;
  });
  std::sort(ended.begin(), ended.end());
  return ended;
}

}  // namespace

void HistoryKeeper::RunIfDue() {
  if (clock_->MonotonicMs() < next_ms_) return;
  next_ms_ = clock_->MonotonicMs() + kIntervalMs;
  const absl::Status status = Run();
  if (!status.ok() && !std::exchange(has_warned_, true))
    spdlog::warn("curves and logs of ended jobs stay as they are: {}", std::string(status.message()));
  has_warned_ = has_warned_ && !status.ok();
}

absl::Status HistoryKeeper::Run() {
  ASSIGN_OR_RETURN(bool is_over, store_->IsOver());
  if (!is_over) return absl::OkStatus();
  int64_t jobs = 0;
  for (const Ended& ended : EndedOldestFirst(*journal_)) {
    if (!shrunk_.insert(ended).second) continue;
    RETURN_IF_ERROR(store_->ShrinkEnded(ended.second));
    ++jobs;
    ASSIGN_OR_RETURN(is_over, store_->IsOver(kEnough));
    if (!is_over) break;
  }
  if (jobs > 0) spdlog::info("curves and logs of {} jobs that ended long ago were thinned", jobs);
  return absl::OkStatus();
}

}  // namespace ridgeline
