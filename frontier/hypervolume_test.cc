// SPDX-License-Identifier: Apache-2.0
#include "frontier/hypervolume.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace ridgeline {
namespace {

using ::testing::IsEmpty;

v1::FrontierPoint Point(double bytes, double accuracy) {
  v1::FrontierPoint point;
  point.set_model("gpt-nano");
  point.set_dataset("kjv");
  point.set_storage_bytes(bytes);
  point.set_accuracy(accuracy);
  return point;
}

double Area(const std::vector<v1::FrontierPoint>& points, std::optional<double> reference = std::nullopt) {
  return Hypervolumes(points, reference).at(0).accuracy_octaves;
}

TEST(HypervolumeTest, IsTheAreaUnderTheStairs) {
  // One octave at 0.25, one at 0.5; the largest point is the reference and adds nothing.
  EXPECT_DOUBLE_EQ(Area({Point(256, 0.25), Point(512, 0.5), Point(1024, 0.75)}), 0.75);
  // Against 4096 it stands for two octaves more.
  EXPECT_DOUBLE_EQ(Area({Point(256, 0.25), Point(512, 0.5), Point(1024, 0.75)}, 4096), 0.75 + 2 * 0.75);
  EXPECT_DOUBLE_EQ(Area({Point(256, 0.5)}, 1024), 1.0);
  EXPECT_NEAR(Area({Point(1000, 0.3)}, 3000), 0.3 * std::log2(3.0), 1e-15);
}

TEST(HypervolumeTest, APointAloneIsItsOwnReference) {
  const Hypervolume alone = Hypervolumes({Point(256, 0.5)}).at(0);
  EXPECT_EQ(alone.accuracy_octaves, 0);
  EXPECT_EQ(alone.reference_bytes, 256);
}

TEST(HypervolumeTest, DuplicatesAndDominatedPointsAddNothing) {
  const std::vector<v1::FrontierPoint> stairs = {Point(256, 0.25), Point(512, 0.5), Point(1024, 0.75)};
  std::vector<v1::FrontierPoint> more = stairs;
  for (const auto& point : {Point(256, 0.25), Point(512, 0.2), Point(300, 0.25), Point(512, 0.5), Point(900, 0.5)})
    more.push_back(point);
  EXPECT_DOUBLE_EQ(Area(more), Area(stairs));
}

TEST(HypervolumeTest, PointsAtOrAboveTheReferenceAddNothing) {
  EXPECT_DOUBLE_EQ(Area({Point(256, 0.25), Point(512, 0.5), Point(1024, 0.75)}, 512), 0.25);
  EXPECT_DOUBLE_EQ(Area({Point(256, 0.25), Point(512, 0.5), Point(1024, 0.75)}, 384), 0.25 * std::log2(1.5));
  EXPECT_EQ(Area({Point(256, 0.25), Point(512, 0.5)}, 128), 0);
}

TEST(HypervolumeTest, TheOrderOfPointsChangesNothing) {
  std::mt19937 random(11);
  std::uniform_real_distribution<double> bytes(100, 10'000), accuracy(0, 1);
  for (int round = 0; round < 50; ++round) {
    std::vector<v1::FrontierPoint> points;
    for (int i = 0; i < 12; ++i) points.push_back(Point(std::floor(bytes(random) / 500 + 1) * 500, accuracy(random)));
    const double area = Area(points);
    std::shuffle(points.begin(), points.end(), random);
    EXPECT_EQ(Area(points), area);
  }
}

TEST(HypervolumeTest, AgreesWithTheIntegralOfItsDefinition) {
  std::mt19937 random(13);
  std::uniform_real_distribution<double> octave(0, 4), accuracy(0, 1);
  for (int round = 0; round < 20; ++round) {
    std::vector<v1::FrontierPoint> points;
    for (int i = 0; i < 8; ++i) points.push_back(Point(std::exp2(octave(random)), accuracy(random)));
    constexpr int kCells = 40'000;
    double sum = 0;
    for (int cell = 0; cell < kCells; ++cell) {
      const double x = 5 * (cell + 0.5) / kCells;
      double best = 0;
      for (const auto& point : points)
        if (std::log2(point.storage_bytes()) <= x) best = std::max(best, point.accuracy());
      sum += best * 5 / kCells;
    }
    EXPECT_NEAR(Area(points, 32), sum, 2e-3);
  }
}

TEST(HypervolumeTest, EachModelAndDatasetHasItsOwn) {
  auto other = Point(4096, 1), more = Point(2048, 0.5), model = Point(64, 0.5);
  other.set_dataset("news");
  more.set_dataset("news");
  more.set_pareto(true);
  model.set_model("a");
  const auto volumes = Hypervolumes({Point(256, 0.25), other, Point(512, 0.5), more, model});
  ASSERT_EQ(volumes.size(), 3u);
  EXPECT_EQ(volumes[0].model, "a");
  EXPECT_EQ(volumes[1].dataset, "kjv");
  EXPECT_DOUBLE_EQ(volumes[1].accuracy_octaves, 0.25);
  EXPECT_EQ(volumes[2].dataset, "news");
  EXPECT_DOUBLE_EQ(volumes[2].accuracy_octaves, 0.5);
  EXPECT_EQ(volumes[2].points, 2);
  EXPECT_EQ(volumes[2].pareto, 1);
  EXPECT_EQ(HypervolumeText(volumes[2]), "0.5000 accuracy x octaves below 4 KiB");
}

TEST(HypervolumeTest, PointsWithoutAccuracyOrBytesAreLeftOut) {
  auto no_accuracy = Point(1 << 20, 0.5), no_bytes = Point(1, 1);
  no_accuracy.clear_accuracy();
  no_bytes.clear_storage_bytes();
  const std::vector<v1::FrontierPoint> unusable = {
      no_accuracy, no_bytes, Point(0, 1), Point(-1, 1), Point(1, std::nan("")), Point(INFINITY, 1)};
  EXPECT_THAT(Hypervolumes(unusable), IsEmpty());
  std::vector<v1::FrontierPoint> some = unusable;
  some.push_back(Point(256, 0.25));
  some.push_back(Point(512, 0.5));
  EXPECT_DOUBLE_EQ(Area(some), 0.25);
  EXPECT_EQ(Hypervolumes(some)[0].points, 2);
}

}  // namespace
}  // namespace ridgeline
