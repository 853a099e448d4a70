// SPDX-License-Identifier: Apache-2.0
#include "worker/train/data_order.h"

#include <gtest/gtest.h>

#include <set>

namespace ridgeline {
namespace {

TEST(DataOrderTest, SamplesStayInsideAndSpreadOverTheText) {
  std::set<int64_t> tenths;
  for (int64_t index = 0; index < 1000; ++index) {
    int64_t offset = SampleOffset(1337, index, 1129, 128);
    ASSERT_GE(offset, 0);
    ASSERT_LT(offset + 128, 1129);  // The last target is a token.
    tenths.insert(offset / 101);
  }
  EXPECT_EQ(tenths.size(), 10u);
}

TEST(DataOrderTest, SeedAndIndexDecideTheOrder) {
  EXPECT_EQ(SampleOffset(1, 5, 100000, 8), SampleOffset(1, 5, 100000, 8));
  EXPECT_NE(SampleOffset(1, 5, 100000, 8), SampleOffset(2, 5, 100000, 8));
  EXPECT_NE(SampleOffset(1, 5, 100000, 8), SampleOffset(1, 6, 100000, 8));
}

TEST(DataOrderTest, TheShortestTextHasOnePlace) { EXPECT_EQ(SampleOffset(1, 99, 9, 8), 0); }

TEST(DataOrderTest, ValidationWindowsAreEvenAndDoNotOverlap) {
  EXPECT_EQ(ValidationOffsets(0, 33, 8), (std::vector<int64_t>{0, 8, 16, 24}));
  EXPECT_EQ(ValidationOffsets(2, 33, 8), (std::vector<int64_t>{0, 16}));
  EXPECT_EQ(ValidationOffsets(99, 33, 8).size(), 4u);
}

TEST(DataOrderTest, SharesOfRanksAreDisjointAndComplete) {
  for (int size : {1, 2, 5, 20}) {
    int64_t at = 0;
    for (int rank = 0; rank < size; ++rank) {
      Share share = ShareOfRank(12, rank, size);
      EXPECT_EQ(share.begin, at);
      at = share.end;
    }
    EXPECT_EQ(at, 12);
  }
}

}  // namespace
}  // namespace ridgeline
