// SPDX-License-Identifier: Apache-2.0
// With a clock that is moved by hand and a machine whose power is known, so that all figures are exact.
#include "energy/window.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace ridgeline {
namespace {

using testing::HasSubstr;

constexpr double kRounding = 1e-9;

// A machine that draws 20 W at rest, and 8 W more in its memory; its time passes when it sleeps and works.
class FakeMachine : public EnergyCounter {
 public:
  std::string_view source() const override { return "fake"; }
  std::string description() const override { return "a machine that is not there"; }
  double refresh_seconds() const override { return refresh_s; }
  double max_unread_seconds() const override { return max_unread_s; }
  absl::StatusOr<std::vector<EnergyPart>> Read() override {
    ++readings;
    if (!failure.ok()) return failure;
    return std::vector<EnergyPart>{{"package-0", package_joules}, {"package-0 dram", dram_joules}};
  }

  void Pass(int64_t ms, double package_watts) {
    clock.Advance(ms);
    package_joules += package_watts * static_cast<double>(ms) / 1000;
    if (!dram_is_dead) dram_joules += 8 * static_cast<double>(ms) / 1000;
  }

  ManualClock clock;
  double package_joules = 1e5;  // Of whatever was before.
  double dram_joules = 1e4;
  double refresh_s = 0.1;
  double max_unread_s = std::numeric_limits<double>::infinity();
  bool dram_is_dead = false;
  absl::Status failure;
  int readings = 0;
};

class EnergyWindowTest : public testing::Test {
 protected:
  EnergyWindowTest() {
    hooks_.clock = &machine_.clock;
    hooks_.sleep = [this](int64_t ms) {
      machine_.Pass(ms, 20);
      slept_ms_ += ms;
    };
  }

  // Work of so long, at 60 W in the package.
  std::function<absl::Status()> Work(int64_t ms) {
    return [this, ms] {
      machine_.Pass(ms, 60);
      ++runs_;
      return absl::OkStatus();
    };
  }

  absl::StatusOr<EnergyWindow> Measure(const std::function<absl::Status()>& work) {
    return MeasureEnergy(&machine_, work, options_, hooks_);
  }

  FakeMachine machine_;
  EnergyWindowOptions options_;
  EnergyWindowHooks hooks_;
  int64_t slept_ms_ = 0;
  int runs_ = 0;
};

TEST_F(EnergyWindowTest, GrossIsAllThatWasDrawnAndAboveIdleWhatRestWouldNotHave) {
  options_ = {.idle_seconds = 2, .min_seconds = 4, .warm_up_repetitions = 0};
  const EnergyWindow window = Measure(Work(500)).value();
  EXPECT_EQ(window.source, "fake");
  EXPECT_EQ(window.repetitions, 8);
  EXPECT_NEAR(window.seconds, 4, kRounding);
  EXPECT_NEAR(window.gross_joules, 4 * (60 + 8), kRounding);
  EXPECT_NEAR(window.idle_watts, 20 + 8, kRounding);
  EXPECT_NEAR(window.above_idle_joules, 4 * (60 - 20), kRounding);
  EXPECT_EQ(slept_ms_, 2000);
}

TEST_F(EnergyWindowTest, TheLastRepetitionIsFinishedAndCounted) {
  options_ = {.idle_seconds = 1, .min_seconds = 1, .warm_up_repetitions = 0};
  const EnergyWindow window = Measure(Work(700)).value();
  EXPECT_EQ(window.repetitions, 2);
  EXPECT_NEAR(window.seconds, 1.4, kRounding);
  EXPECT_NEAR(window.gross_joules, 1.4 * 68, kRounding);
}

TEST_F(EnergyWindowTest, WarmUpIsRunAndLeftOut) {
  options_ = {.idle_seconds = 1, .min_seconds = 1, .warm_up_repetitions = 3};
  const auto work = [this] {
    machine_.Pass(runs_ < 3 ? 9000 : 250, runs_ < 3 ? 500 : 60);  // Slow and hot at first.
    ++runs_;
    return absl::OkStatus();
  };
  const EnergyWindow window = Measure(work).value();
  EXPECT_EQ(runs_, 7);
  EXPECT_EQ(window.repetitions, 4);
  EXPECT_NEAR(window.gross_joules, 68, kRounding);
  EXPECT_NEAR(window.idle_watts, 28, kRounding);
}

TEST_F(EnergyWindowTest, ShortWorkIsNotDrownedInReadings) {
  options_ = {.idle_seconds = 1, .min_seconds = 5, .warm_up_repetitions = 0};
  EXPECT_EQ(Measure(Work(1)).value().repetitions, 5000);
  EXPECT_LE(machine_.readings, 10);  // Two ends of the rest and of the window, and one a second.
}

TEST_F(EnergyWindowTest, APartThatStandsStillIsAnErrorAndNotZeroJoules) {
  machine_.dram_is_dead = true;
  const absl::Status status = Measure(Work(500)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), testing::AllOf(HasSubstr("package-0 dram"), HasSubstr("dead")));
}

TEST_F(EnergyWindowTest, WorkThatIsLongerThanAWrapIsRefused) {
  machine_.max_unread_s = 3;
  EXPECT_TRUE(Measure(Work(3000)).ok());
  const absl::Status status = Measure(Work(3001)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("wrapped"));
  options_.idle_seconds = 60;  // Rest is read as it goes, and many short repetitions are, too.
  options_.min_seconds = 60;
  EXPECT_TRUE(Measure(Work(100)).ok());
}

TEST_F(EnergyWindowTest, WindowsThatAreTooShortForTheCounterAreRefused) {
  for (const double seconds : {0.0, -1.0, 0.99, std::nan(""), std::numeric_limits<double>::infinity()}) {
    options_ = {.idle_seconds = seconds};
    EXPECT_EQ(Measure(Work(100)).status().code(), absl::StatusCode::kInvalidArgument) << seconds;
    options_ = {.min_seconds = seconds};
    EXPECT_EQ(Measure(Work(100)).status().code(), absl::StatusCode::kInvalidArgument) << seconds;
  }
  options_ = {.warm_up_repetitions = -1};
  EXPECT_EQ(Measure(Work(100)).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(runs_, 0);
}

TEST_F(EnergyWindowTest, ItCanBeInterruptedAtRestAndBetweenRepetitions) {
  hooks_.cancelled = [this] { return slept_ms_ >= 300; };
  EXPECT_EQ(Measure(Work(100)).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(slept_ms_, 300);
  EXPECT_EQ(runs_, 0);
  hooks_.cancelled = [this] { return runs_ >= 7; };
  EXPECT_EQ(Measure(Work(100)).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(runs_, 7);
}

TEST_F(EnergyWindowTest, ErrorsOfTheWorkAndOfTheCounterEndIt) {
  const auto work = [this] {
    machine_.Pass(100, 60);
    return ++runs_ < 3 ? absl::OkStatus() : absl::InternalError("the model is gone");
  };
  EXPECT_EQ(Measure(work).status(), absl::InternalError("the model is gone"));
  EXPECT_EQ(runs_, 3);
  machine_.failure = absl::PermissionDeniedError("not for you");
  EXPECT_EQ(Measure(Work(100)).status(), machine_.failure);
}

TEST_F(EnergyWindowTest, AMachineThatIsBusierAtRestShowsItself) {
  hooks_.sleep = [this](int64_t ms) { machine_.Pass(ms, 100); };
  EXPECT_LT(Measure(Work(100)).value().above_idle_joules, 0);
}

}  // namespace
}  // namespace ridgeline
