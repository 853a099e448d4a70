// SPDX-License-Identifier: Apache-2.0
// Time, passed in so that tests can hold it still. Leases use the monotonic clock; records carry the wall clock.
#pragma once

#include <chrono>
#include <cstdint>

namespace ridgeline {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t WallUnixMs() const = 0;
  // Never goes back, and jumps of the wall clock do not touch it.
  virtual int64_t MonotonicMs() const = 0;
};

// The machine's clocks. Thread-safe; lives as long as the process.
const Clock& SystemClock();

// A clock that moves only when told to. Not thread-safe.
class ManualClock : public Clock {
 public:
  int64_t WallUnixMs() const override { return wall_unix_ms_; }
  int64_t MonotonicMs() const override { return monotonic_ms_; }
  void Advance(int64_t ms) {
    wall_unix_ms_ += ms;
    monotonic_ms_ += ms;
  }
  void JumpWall(int64_t ms) { wall_unix_ms_ += ms; }

 private:
  int64_t wall_unix_ms_ = 1'700'000'000'000;
  int64_t monotonic_ms_ = 1'000;
};

}  // namespace ridgeline
