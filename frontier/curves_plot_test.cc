// SPDX-License-Identifier: Apache-2.0
#include "frontier/curves_plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "common/file.h"

namespace ridgeline {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

JobCurve Curve(const std::string& name, bool second) {
  JobCurve curve{.name = name};
  for (int step : {0, 10, 20}) {
    v1::MetricPoint point;
    point.set_step(step);
    point.set_validation_loss(3.0 - 0.05 * step);
    if (second) point.set_second_loss(4.0);
    curve.points.push_back(point);
  }
  curve.points.emplace_back().set_train_loss(1);  // Not validated: no point of the curve.
  return curve;
}

TEST(CurvesPlotTest, DrawsALineAJobAndThePanelOfTheSecondTextWhereThereIsOne) {
  const std::string one = CurvesPlotScript({Curve("ridge", false), Curve("ste", false)}, {}, "svg");
  EXPECT_THAT(one, HasSubstr("layout 1,1"));
  EXPECT_THAT(one, HasSubstr("20 2.000000\nEND"));
  EXPECT_THAT(one, HasSubstr("title 'ste'"));
  EXPECT_THAT(one, Not(HasSubstr("second kind")));
  EXPECT_THAT(CurvesPlotScript({Curve("ridge", true)}, {}, "svg"), HasSubstr("layout 1,2"));
}

// Within it the names lie over curves.
TEST(CurvesPlotTest, NamesStandBelowTheGraph) {
  EXPECT_THAT(CurvesPlotScript({Curve("ridge", true)}, {}, "svg"), HasSubstr("set key below"));
}

TEST(CurvesPlotTest, AHostileNameStaysText) {
  const std::string script = CurvesPlotScript({Curve("a'; system('x'); '", false)}, {}, "svg");
  EXPECT_THAT(script, Not(HasSubstr("; system('")));
}

TEST(CurvesPlotTest, WritesAPicture) {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("curves_" + std::to_string(::getpid()) + ".svg")).string();
  const absl::Status status = PlotCurves({Curve("ridge", true)}, path).status();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(ReadFile(path).value(), HasSubstr("<svg"));
  std::filesystem::remove(path);
}

TEST(CurvesPlotTest, WithoutValidationsThereIsNothingToPlot) {
  EXPECT_EQ(PlotCurves({{.name = "young"}}, "x.svg").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(PlotCurves({Curve("ridge", false)}, "x.gif").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace ridgeline
