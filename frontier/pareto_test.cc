// SPDX-License-Identifier: Apache-2.0
#include "frontier/pareto.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace ridgeline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

v1::FrontierPoint Point(double accuracy, double bytes, double proxy) {
  v1::FrontierPoint point;
  point.set_model("gpt-nano");
  point.set_dataset("kjv");
  point.set_accuracy(accuracy);
  point.set_storage_bytes(bytes);
  point.set_energy_proxy(proxy);
  return point;
}

std::vector<bool> Marked(std::vector<v1::FrontierPoint> points) {
  MarkPareto(&points);
  std::vector<bool> marks;
  for (const auto& point : points) marks.push_back(point.pareto());
  return marks;
}

TEST(MarkParetoTest, AgreesWithBruteForceOnRandomPoints) {
  std::mt19937 random(7);
  std::uniform_int_distribution<int> few_values(0, 4);  // Few values make many ties.
  for (int round = 0; round < 200; ++round) {
    std::vector<v1::FrontierPoint> points;
    for (int i = 0; i < 15; ++i) {
      points.push_back(Point(few_values(random), few_values(random), few_values(random)));
      points.back().set_model(few_values(random) < 3 ? "a" : "b");
    }
    MarkPareto(&points);
    for (const auto& point : points) {
      bool beaten = false;
      for (const auto& other : points) {
        if (other.model() != point.model()) continue;
        bool worse_somewhere = other.accuracy() < point.accuracy() || other.storage_bytes() > point.storage_bytes() ||
                               other.energy_proxy() > point.energy_proxy();
        bool same = other.accuracy() == point.accuracy() && other.storage_bytes() == point.storage_bytes() &&
                    other.energy_proxy() == point.energy_proxy();
        beaten |= !worse_somewhere && !same;
      }
      ASSERT_EQ(point.pareto(), !beaten) << point.ShortDebugString();
    }
  }
}

TEST(MarkParetoTest, EqualPointsAreBothOnTheFrontier) {
  EXPECT_THAT(Marked({Point(0.5, 10, 1), Point(0.5, 10, 1), Point(0.4, 10, 1)}), ElementsAre(true, true, false));
}

void SetJoules(v1::FrontierPoint* point, double joules, const std::string& source) {
  point->set_energy_joules_per_token(joules);
  point->set_energy_source(source);
}

TEST(MarkParetoTest, JoulesCountOnlyWhereEveryComparedPointHasThem) {
  auto a = Point(0.5, 10, 2), b = Point(0.5, 10, 1);
  SetJoules(&a, 1, "rapl");
  EXPECT_THAT(Marked({a, b}), ElementsAre(false, true));  // By the proxy.
  SetJoules(&b, 3, "rapl");
  EXPECT_THAT(Marked({a, b}), ElementsAre(true, false));  // By joules.
}

TEST(MarkParetoTest, MeasuredAndModelledJoulesAreNeverCompared) {
  auto a = Point(0.5, 10, 2), b = Point(0.5, 10, 1);
  SetJoules(&a, 1, "rapl");
  for (const char* other : {"modelled", "nvml", "", "guessed"}) {
    SetJoules(&b, 3, other);
    EXPECT_THAT(Marked({a, b}), ElementsAre(false, true)) << other;  // By the proxy.
  }
  SetJoules(&a, 1, "guessed");  // Nor are those of a source that nobody knows.
  EXPECT_THAT(Marked({a, b}), ElementsAre(false, true));
  SetJoules(&a, 1, "modelled");
  SetJoules(&b, 3, "modelled");
  EXPECT_THAT(Marked({a, b}), ElementsAre(true, false));
}

TEST(MarkParetoTest, EachModelAndDatasetHasItsOwnMeasureOfEnergy) {
  auto a = Point(0.5, 10, 2), b = Point(0.5, 10, 1), other = Point(0.5, 10, 1);
  SetJoules(&a, 1, "rapl");
  SetJoules(&b, 3, "rapl");
  SetJoules(&other, 2, "modelled");
  other.set_dataset("news");
  EXPECT_THAT(Marked({a, b, other}), ElementsAre(true, false, true));
}

TEST(MarkParetoTest, EnergyDecidesNothingWhereAPointHasNeitherJoulesNorProxy) {
  auto a = Point(0.5, 10, 2), b = Point(0.5, 10, 1), bare = Point(0.5, 10, 0);
  bare.clear_energy_proxy();
  EXPECT_THAT(Marked({a, b, bare}), ElementsAre(true, true, true));
  a.set_energy_proxy(std::nan(""));
  EXPECT_THAT(Marked({a, b}), ElementsAre(true, true));
}

TEST(MarkParetoTest, UnmeasuredPointsAreNeverOnTheFrontierAndBeatNobody) {
  auto no_accuracy = Point(0.9, 1, 1), no_bytes = Point(0.9, 1, 1), not_a_number = Point(std::nan(""), 1, 1);
  no_accuracy.clear_accuracy();
  no_bytes.clear_storage_bytes();
  no_bytes.set_pareto(true);  // An old mark goes away.
  EXPECT_THAT(Marked({no_accuracy, no_bytes, not_a_number, Point(0.1, 9, 9)}), ElementsAre(false, false, false, true));
}

TEST(MarkParetoTest, OtherModelsAndDatasetsAreNotCompared) {
  auto other = Point(0.9, 1, 1);
  other.set_dataset("news");
  EXPECT_THAT(Marked({Point(0.1, 9, 9), other}), ElementsAre(true, true));
}

TEST(ParetoLineTest, GoesByRisingCostAndRisingAccuracy) {
  EXPECT_THAT(ParetoLine({4, 1, 2, 2, 8}, {0.5, 0.2, 0.4, 0.3, 0.5}), ElementsAre(1, 2, 0));
  EXPECT_THAT(ParetoLine({3, 3}, {0.5, 0.5}), ElementsAre(0));
  EXPECT_THAT(ParetoLine({1, std::nan("")}, {std::nan(""), 1}), IsEmpty());
  EXPECT_THAT(ParetoLine({}, {}), IsEmpty());
}

}  // namespace
}  // namespace ridgeline
