// SPDX-License-Identifier: Apache-2.0
#include "energy/window.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>
#include <utility>
#include <vector>

#include "common/status_macros.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

constexpr double kFewestRefreshes = 10;
// Reading takes time of its own; wraps and people who wait need no more than this.
constexpr double kReadEvery_seconds = 1;
constexpr int64_t kSlice_ms = 100;

absl::Status Check(const EnergyWindowOptions& options, const EnergyCounter& counter) {
  const double shortest = kFewestRefreshes * counter.refresh_seconds();
  for (const auto& [name, seconds] :
       {std::pair("idle_seconds", options.idle_seconds), std::pair("min_seconds", options.min_seconds)})
    if (!(seconds >= shortest && std::isfinite(seconds)))
      return absl::InvalidArgumentError(fmt::format("{} is {}: {} refreshes each {} s, so take at least {}", name,
                                                    seconds, counter.source(), counter.refresh_seconds(), shortest));
  if (options.warm_up_repetitions < 0)
    return absl::InvalidArgumentError(fmt::format("warm_up_repetitions is {}", options.warm_up_repetitions));
  return absl::OkStatus();
}

struct Reading {
  std::vector<EnergyPart> parts;
  double at_seconds = 0;
};

double JoulesBetween(const Reading& begin, const Reading& end) {
  double joules = 0;
  for (size_t i = 0; i < end.parts.size(); ++i) joules += end.parts[i].joules - begin.parts[i].joules;
  return joules;
}

class Window {
 public:
  Window(EnergyCounter* counter, const std::function<absl::Status()>& work, const EnergyWindowOptions& options,
         const EnergyWindowHooks& hooks)
      : counter_(*counter), work_(work), options_(options), hooks_(hooks) {}

  absl::StatusOr<EnergyWindow> Run() {
    EnergyWindow window{.source = std::string(counter_.source())};
    ASSIGN_OR_RETURN(window.idle_watts, Rest());
    for (int i = 0; i < options_.warm_up_repetitions; ++i) RETURN_IF_ERROR(RunOnce());
    ASSIGN_OR_RETURN(const Reading begin, Read());
    ASSIGN_OR_RETURN(const Reading end, Repeat(begin, &window.repetitions));
    RETURN_IF_ERROR(CheckAlive(begin, end));
    window.seconds = end.at_seconds - begin.at_seconds;
    window.gross_joules = JoulesBetween(begin, end);
    window.above_idle_joules = window.gross_joules - window.idle_watts * window.seconds;
    return window;
  }

 private:
  double Now_seconds() const { return static_cast<double>(hooks_.clock->MonotonicMs()) / 1000; }

  absl::StatusOr<Reading> Read() {
    Reading reading;
    ASSIGN_OR_RETURN(reading.parts, counter_.Read());
    reading.at_seconds = Now_seconds();
    return reading;
  }

  absl::Status CheckGoesOn() const {
    if (hooks_.cancelled && hooks_.cancelled()) return absl::CancelledError("measuring energy was interrupted");
    return absl::OkStatus();
  }

  void Sleep() const {
    if (hooks_.sleep)
      hooks_.sleep(kSlice_ms);
    else
      std::this_thread::sleep_for(std::chrono::milliseconds(kSlice_ms));
  }

  // What the machine draws at rest, in watts.
  absl::StatusOr<double> Rest() {
    ASSIGN_OR_RETURN(const Reading begin, Read());
    Reading end = begin;
    while (end.at_seconds - begin.at_seconds < options_.idle_seconds) {
      RETURN_IF_ERROR(CheckGoesOn());
      Sleep();
      if (!IsDue(end, begin.at_seconds + options_.idle_seconds)) continue;
      ASSIGN_OR_RETURN(end, ReadSoonAfter(end));
    }
    return JoulesBetween(begin, end) / (end.at_seconds - begin.at_seconds);
  }

  absl::Status RunOnce() const {
    RETURN_IF_ERROR(CheckGoesOn());
    return work_();
  }

  // Until min_seconds have passed. Returns the last reading.
  absl::StatusOr<Reading> Repeat(const Reading& begin, int64_t* repetitions) {
    Reading end = begin;
    while (end.at_seconds - begin.at_seconds < options_.min_seconds) {
      RETURN_IF_ERROR(RunOnce());
      ++*repetitions;
      if (!IsDue(end, begin.at_seconds + options_.min_seconds)) continue;
      ASSIGN_OR_RETURN(end, ReadSoonAfter(end));
    }
    return end;
  }

  // At the end, and often enough before it.
  bool IsDue(const Reading& last, double end_seconds) const {
    return Now_seconds() >= std::min(end_seconds, last.at_seconds + kReadEvery_seconds);
  }

  absl::StatusOr<Reading> ReadSoonAfter(const Reading& last) {
    ASSIGN_OR_RETURN(Reading reading, Read());
    const double unread_seconds = reading.at_seconds - last.at_seconds;
    if (unread_seconds <= counter_.max_unread_seconds()) return reading;
    return absl::FailedPreconditionError(fmt::format(
        "{} was not read for {:.1f} s and may have wrapped twice: let one repetition take less than {:.1f} s",
        counter_.source(), unread_seconds, counter_.max_unread_seconds()));
  }

  absl::Status CheckAlive(const Reading& begin, const Reading& end) const {
    for (size_t i = 0; i < end.parts.size(); ++i)
      if (!(end.parts[i].joules > begin.parts[i].joules))
        return absl::FailedPreconditionError(
            fmt::format("{}: {} stood still for {:.1f} s of work: its counter is dead, as on some machines that are "
                        "virtual, and a sum without it would be too small",
                        counter_.source(), end.parts[i].name, end.at_seconds - begin.at_seconds));
    return absl::OkStatus();
  }

  EnergyCounter& counter_;
  const std::function<absl::Status()>& work_;
  const EnergyWindowOptions& options_;
  const EnergyWindowHooks& hooks_;
};

}  // namespace

absl::StatusOr<EnergyWindow> MeasureEnergy(EnergyCounter* counter, const std::function<absl::Status()>& work,
                                           const EnergyWindowOptions& options, const EnergyWindowHooks& hooks) {
  RETURN_IF_ERROR(Check(options, *counter));
  return Window(counter, work, options, hooks).Run();
}

}  // namespace ridgeline
