// SPDX-License-Identifier: Apache-2.0
#include "common/text_width.h"

#include <gtest/gtest.h>

namespace ridgeline {
namespace {

TEST(ColumnsOf, CountsWhatIsDrawn) {
  EXPECT_EQ(ColumnsOf(""), 0);
  EXPECT_EQ(ColumnsOf("ridge"), 5);
  EXPECT_EQ(ColumnsOf("naïve"), 5);
  EXPECT_EQ(ColumnsOf("e\u0301"), 1);  // A letter and its accent.
  EXPECT_EQ(ColumnsOf("量化"), 4);
  EXPECT_EQ(ColumnsOf("한국"), 4);
  EXPECT_EQ(ColumnsOf("تدريب"), 5);
  EXPECT_EQ(ColumnsOf("🚀"), 2);
  EXPECT_EQ(ColumnsOf("👩\u200D👩\u200D👧"), 2);  // One family.
  EXPECT_EQ(ColumnsOf("a\xFF"
                      "b"),
            3);
}

TEST(Shortened, KeepsWholeCharactersAndTheirMarks) {
  EXPECT_EQ(Shortened("ridge", 5), "ridge");
  EXPECT_EQ(Shortened("ridge-a1w1", 5), "ridg…");
  EXPECT_EQ(Shortened("量化训练", 5), "量化…");
  EXPECT_EQ(Shortened("量化训练", 6), "量化…");
  EXPECT_EQ(Shortened("xe\u0301\u0302yz", 3), "xe\u0301\u0302…");
  EXPECT_EQ(Shortened("👩\u200D👧abc", 3), "👩\u200D👧…");
  EXPECT_EQ(Shortened("abc", 1), "…");
  for (int columns = 1; columns < 12; ++columns) EXPECT_LE(ColumnsOf(Shortened("a量b化e\u0301🚀c", columns)), columns);
}

}  // namespace
}  // namespace ridgeline
