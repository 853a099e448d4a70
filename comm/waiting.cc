// SPDX-License-Identifier: Apache-2.0
#include "comm/waiting.h"

#include <algorithm>

#include "common/clock.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

// What the others may take to finish their step and their checkpoint once the group is in a hurry.
constexpr int64_t kHurryTimeoutMs = 25'000;

}  // namespace

absl::Status Waiting::Until(Transfer& transfer, const Patience& patience, std::span<const int> members) {
  const int64_t now_ms = SystemClock().MonotonicMs();
  const int64_t start_ms = patience.since_ms == kFromNowOn ? now_ms : patience.since_ms;
  int64_t looked_up_ms = now_ms;
  for (int64_t looks = 0;; ++looks) {
    const absl::StatusOr<bool> done = transfer.Done();
    if (!done.ok() || *done) {
      transport_.StopSaying();
      return done.status();
    }
    transport_.Rest(looks, patience.polite);
    // By the clock: where ranks share cores, a look may take milliseconds.
    const int64_t now_ms = SystemClock().MonotonicMs();
    if (now_ms == looked_up_ms) continue;
    looked_up_ms = now_ms;
    const bool asked = transport_.SayWhere(patience.what);
    if (IsLate(patience, start_ms) || (asked && patience.timeout_ms != kNoTimeout))
      return TimedOut(patience, start_ms, members);  // It goes on saying where: others may ask yet.
  }
}

bool Waiting::IsLate(const Patience& patience, int64_t start_ms) {
  if (patience.timeout_ms == kNoTimeout) return false;
  const int64_t now_ms = SystemClock().MonotonicMs();
  if (!hurry_()) {
    hurry_since_ms_ = 0;
  } else if (hurry_since_ms_ == 0) {
    hurry_since_ms_ = now_ms;
  }
  return now_ms - start_ms > patience.timeout_ms ||
         (hurry_since_ms_ != 0 && now_ms - std::max(hurry_since_ms_, start_ms) > kHurryTimeoutMs);
}

absl::Status Waiting::TimedOut(const Patience& patience, int64_t start_ms, std::span<const int> members) const {
  const int64_t waited_ms = SystemClock().MonotonicMs() - start_ms;
  const std::vector<std::string> places = transport_.AskAll(patience.what);
  return absl::DeadlineExceededError(fmt::format(
      "rank {} of {} waited {} ms in collective '{}'{}: {}", transport_.rank(), transport_.size(), waited_ms,
      patience.what, step_.empty() ? "" : " at " + step_, Describe(patience.what, members, places)));
}

// "rank 2 does not answer: it is stopped, dead, or computes; rank 3 waits in 'evaluation'"
std::string Waiting::Describe(const char* what, std::span<const int> members,
                              const std::vector<std::string>& places) const {
  std::vector<std::string> texts;
  for (int rank : members) {
    const std::string& place = places[static_cast<size_t>(rank)];
    if (rank == transport_.rank() || place == what) continue;
    texts.push_back(place.empty() ? fmt::format("rank {} does not answer: it is stopped, dead, or computes", rank)
                                  : fmt::format("rank {} waits in '{}'", rank, place));
  }
  return texts.empty() ? "every rank waits in it: the network between them does not work"
                       : fmt::format("{}", fmt::join(texts, "; "));
}

}  // namespace ridgeline
