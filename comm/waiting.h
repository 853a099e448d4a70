// SPDX-License-Identifier: Apache-2.0
// The time-out of collectives, and what is said of the ranks that do not come.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "comm/transport.h"

namespace ridgeline {

inline constexpr int64_t kNoTimeout = -1;
inline constexpr int64_t kFromNowOn = -1;

struct Patience {
  int64_t timeout_ms = kNoTimeout;
  bool polite = false;  // Sleeps between looks, for waits that may take hours; else looks all the time, to be quick.
  const char* what = "";
  int64_t since_ms = kFromNowOn;  // Of the monotonic clock: where the time-out begins.
};

// A rank's waits for messages. `transport` must outlive it.
class Waiting {
 public:
  // While `hurry` says true, waits end within half a minute. It is asked often and must not block.
  Waiting(Transport& transport, std::function<bool()> hurry) : transport_(transport), hurry_(std::move(hurry)) {}

  // `members` are the ranks that should come. A wait that has a time-out also ends when any rank of the job has been
  // in vain for as long as its own: the ranks find out together.
  absl::Status Until(Transfer& transfer, const Patience& patience, std::span<const int> members);

  // What time-outs say of where this rank is, as in "step 812"; empty: nothing.
  void SetStep(std::string step) { step_ = std::move(step); }

 private:
  bool IsLate(const Patience& patience, int64_t start_ms);
  absl::Status TimedOut(const Patience& patience, int64_t start_ms, std::span<const int> members) const;
  std::string Describe(const char* what, std::span<const int> members, const std::vector<std::string>& places) const;

  Transport& transport_;
  const std::function<bool()> hurry_;
  std::string step_;
  int64_t hurry_since_ms_ = 0;  // 0: there is no hurry
};

}  // namespace ridgeline
