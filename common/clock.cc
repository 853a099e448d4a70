// SPDX-License-Identifier: Apache-2.0
#include "common/clock.h"

namespace ridgeline {
namespace {

template <typename ChronoClock>
int64_t NowMs() {
  using std::chrono::duration_cast, std::chrono::milliseconds;
  return duration_cast<milliseconds>(ChronoClock::now().time_since_epoch()).count();
}

class MachineClock : public Clock {
 public:
  int64_t WallUnixMs() const override { return NowMs<std::chrono::system_clock>(); }
  int64_t MonotonicMs() const override { return NowMs<std::chrono::steady_clock>(); }
};

}  // namespace

const Clock& SystemClock() {
  static const MachineClock clock;
  return clock;
}

}  // namespace ridgeline
