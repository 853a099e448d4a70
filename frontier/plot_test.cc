// SPDX-License-Identifier: Apache-2.0
// Pictures by the real gnuplot, and the layout that they rest on.
#include "frontier/plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <random>

#include "common/file.h"
#include "frontier/gnuplot.h"
#include "frontier/plot_layout.h"
#include "frontier/plot_script.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

v1::FrontierPoint Point(const std::string& name, const std::string& estimator, double accuracy, double bytes) {
  v1::FrontierPoint point;
  point.set_name(name);
  point.set_model("gpt-nano");
  point.set_dataset("kjv");
  point.set_estimator(estimator);
  point.set_weight_format("int1");
  point.set_activation_format("int1");
  point.set_accuracy(accuracy);
  point.set_storage_bytes(bytes);
  point.set_energy_proxy(bytes * 3);
  return point;
}

std::vector<v1::FrontierPoint> SomePoints() {
  return {Point("none", "none", 0.36, 3.2e6), Point("ridge-a1w1", "ridge", 0.31, 3.6e5),
          Point("ste-a1w1", "ste", 0.29, 3.5e5)};
}

class PlotTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("ridgeline_plot_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  bool IsXml(const std::string& path) {
    std::string command = "python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.argv[1])' '" + path + "'";
    return std::system(command.c_str()) == 0;
  }
  fs::path folder_;
};

TEST_F(PlotTest, SvgIsXmlThatNamesEveryPointAndAxis) {
  ASSERT_EQ(PlotFrontier(SomePoints(), Path("new/frontier.svg")).status(), absl::OkStatus());
  EXPECT_TRUE(IsXml(Path("new/frontier.svg")));
  std::string svg = ReadFile(Path("new/frontier.svg")).value();
  for (const char* text : {"<svg", "none", "ridge-a1w1", "ste-a1w1", "MiB", "KiB", "accuracy", "Stored bytes",
                           "Energy proxy: bit operations per token", "Pareto line", "Ridgeline frontier"})
    EXPECT_THAT(svg, HasSubstr(text));
}

TEST_F(PlotTest, PngHasItsSignatureAndTheSizeAskedFor) {
  ASSERT_EQ(PlotFrontier(SomePoints(), Path("frontier.png"), {.width_px = 1000, .height_px = 500}).status(),
            absl::OkStatus());
  std::string png = ReadFile(Path("frontier.png")).value();
  EXPECT_THAT(png, StartsWith("\x89PNG\r\n\x1A\n"));
  EXPECT_EQ(png.substr(16, 8), std::string("\0\0\x03\xE8\0\0\x01\xF4", 8));
  EXPECT_GT(png.size(), 10'000u);
}

TEST_F(PlotTest, HostileNamesAreTextAndNeverCommands) {
  std::string mark = Path("owned");
  std::vector<v1::FrontierPoint> points;
  for (const std::string& name :
       {"'; system('touch " + mark + "'); '", "`touch " + mark + "`", "\"; system(\"touch " + mark + "\")",
        "$(touch " + mark + ")", std::string("a\nsystem 'touch " + mark + "'\n"), std::string("<b>&amp;</b>"),
        std::string("\xFF\xFE"), std::string("%s %n @x {/Bold x_1}"), std::string("\\\\"), std::string(300, 'x')}) {
    points.push_back(Point(name, name, 0.3 + 0.01 * static_cast<double>(points.size()), 1e5));
    points.back().set_model(name);
    points.back().set_weight_format(name);
  }
  ASSERT_EQ(PlotFrontier(points, Path("frontier.svg"), {.title = points[0].name()}).status(), absl::OkStatus());
  EXPECT_TRUE(IsXml(Path("frontier.svg")));
  EXPECT_EQ(PlotFrontier(points, Path("frontier.png"), {.title = points[1].name()}).status(), absl::OkStatus());
  EXPECT_FALSE(fs::exists(mark));
}

TEST_F(PlotTest, OnePointAndExtremeValuesAreDrawn) {
  EXPECT_EQ(PlotFrontier({Point("only", "ridge", 0.3, 4096)}, Path("one.svg")).status(), absl::OkStatus());
  auto no_energy = Point("no energy", "ste", 0, 1);
  no_energy.clear_energy_proxy();
  EXPECT_EQ(PlotFrontier({no_energy}, Path("no_energy.svg")).status(), absl::OkStatus());
  EXPECT_THAT(ReadFile(Path("no_energy.svg")).value(), Not(HasSubstr("Energy")));
  EXPECT_EQ(PlotFrontier({Point("big", "none", 1, 1e17), Point("small", "none", 0, 1)}, Path("wide.svg")).status(),
            absl::OkStatus());
}

TEST_F(PlotTest, WhatCannotBeDrawnIsAnErrorWithARemedy) {
  absl::Status ending = PlotFrontier(SomePoints(), Path("frontier.pdf")).status();
  EXPECT_EQ(ending.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(ending.message()), HasSubstr(".svg"));
  auto unmeasured = Point("x", "ridge", 0.5, 100);
  unmeasured.clear_accuracy();
  for (const auto& points : {std::vector<v1::FrontierPoint>{}, {unmeasured}, {Point("free", "ridge", 0.5, 0)}})
    EXPECT_EQ(PlotFrontier(points, Path("frontier.svg")).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(fs::exists(Path("frontier.svg")));
}

TEST_F(PlotTest, AMissingGnuplotIsNamed) {
  std::string path = std::getenv("PATH");
  ::setenv("PATH", folder_.c_str(), 1);
  absl::Status status = PlotFrontier(SomePoints(), Path("frontier.svg")).status();
  ::setenv("PATH", path.c_str(), 1);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("apt-get install gnuplot-nox"));
}

TEST(FrontierPlotScriptTest, TheEnergyAxisNamesTheSourceOfItsJoules) {
  std::vector<v1::FrontierPoint> points = SomePoints();
  auto axis = [&] { return FrontierPlotScript(points, {}, "svg", "out"); };
  EXPECT_THAT(axis(), HasSubstr("Energy proxy: bit operations per token"));
  for (auto& point : points) {
    point.set_energy_joules_per_token(0.002);
    point.set_energy_source("modelled");
  }
  EXPECT_THAT(axis(), HasSubstr("Energy: modelled J per token"));
  points[1].set_energy_source("rapl");  // One that was measured among them: they have only the proxy in common.
  EXPECT_THAT(axis(), HasSubstr("Energy proxy: bit operations per token"));
  for (auto& point : points) point.set_energy_source("rapl");
  EXPECT_THAT(axis(), HasSubstr("Energy: measured (rapl) J per token"));
}

TEST(PlotLayoutTest, LabelsStayInsideTheFrameAndNeverOverlap) {
  std::mt19937 random(5);
  std::uniform_real_distribution<double> x(0, 600), y(0, 500), width(20, 160);
  PixelBox frame{0, 0, 600, 500};
  for (int round = 0; round < 50; ++round) {
    std::vector<LabelRequest> requests;
    for (int i = 0; i < 25; ++i) requests.push_back({{x(random), y(random)}, width(random)});
    auto places = PlaceLabels(frame, requests, {requests[0].point, requests[1].point}, 18, 8);
    ASSERT_EQ(places.size(), requests.size());
    for (size_t i = 0; i < places.size(); ++i) {
      if (!places[i]) continue;
      const PixelBox& a = places[i]->box;
      EXPECT_TRUE(a.left >= 0 && a.bottom >= 0 && a.right <= 600 && a.top <= 500);
      EXPECT_NEAR(a.right - a.left, requests[i].width_px, 1e-9);
      for (size_t j = 0; j < i; ++j) {
        if (!places[j]) continue;
        const PixelBox& b = places[j]->box;
        EXPECT_FALSE(a.left < b.right && b.left < a.right && a.bottom < b.top && b.bottom < a.top);
      }
    }
    EXPECT_GT(std::count_if(places.begin(), places.end(), [](const auto& place) { return place.has_value(); }), 20);
  }
}

TEST(PlotLayoutTest, AxesHoldTheirValuesAndHaveReadableTicks) {
  std::mt19937 random(9);
  std::uniform_real_distribution<double> exponent(0, 40), spread(0, 5);
  for (int round = 0; round < 500; ++round) {
    double low = std::exp2(exponent(random)), high = low * std::exp2(spread(random));
    for (const PlotAxis& axis :
         {BytesAxis({low, high}), DecimalAxis({low, high}, "J"), PercentAxis({0.5, 0.5 + spread(random) / 10})}) {
      EXPECT_GE(axis.ticks.size(), 2u) << low << " " << high;
      EXPECT_LE(axis.ticks.size(), 12u) << low << " " << high;
      for (const AxisTick& tick : axis.ticks) {
        EXPECT_GE(axis.Place(tick.value), 0);
        EXPECT_LE(axis.Place(tick.value), 1);
      }
    }
    EXPECT_GT(BytesAxis({low, high}).Place(low), 0);
    EXPECT_LT(BytesAxis({low, high}).Place(high), 1);
  }
  auto texts = [](const PlotAxis& axis) {
    std::string all;
    for (const AxisTick& tick : axis.ticks) all += tick.text + "|";
    return all;
  };
  EXPECT_EQ(texts(BytesAxis({300e3, 3.2e6})), "256 KiB|512 KiB|1 MiB|2 MiB|");
  EXPECT_EQ(texts(DecimalAxis({0.8e-3, 9}, "J")), "1 mJ|10 mJ|100 mJ|1 J|10 J|");
  EXPECT_EQ(texts(PercentAxis({0.30, 0.34})), "30 %|31 %|32 %|33 %|34 %|");
  EXPECT_EQ(texts(PercentAxis({0.3292, 0.3377})), "33.00 %|33.25 %|33.50 %|33.75 %|");
}

TEST(GnuplotStringTest, QuotesAndControlCharactersAreHarmless) {
  EXPECT_EQ(GnuplotString("it's\n`x`"), "'it’s `x`'");
  EXPECT_EQ(GnuplotString("a\xFF"), "'a?'");
  EXPECT_EQ(GnuplotString("\xE2\x82\xAC"), "'\xE2\x82\xAC'");
}

}  // namespace
}  // namespace ridgeline
