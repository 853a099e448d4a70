// SPDX-License-Identifier: Apache-2.0
#include "cli/shared/terminal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "cli/shared/table.h"

namespace ridgeline {
namespace {

constexpr Style kPlain{};
constexpr Style kColor{.color = true, .utf8 = true};

TEST(HumanCount, KeepsThreeDigits) {
  EXPECT_EQ(HumanCount(950), "950");
  EXPECT_EQ(HumanCount(999.6), "1.00k");
  EXPECT_EQ(HumanCount(18234), "18.2k");
  EXPECT_EQ(HumanCount(3'410'000), "3.41M");
  EXPECT_EQ(HumanCount(2.5e13), "25.0T");
  EXPECT_EQ(HumanCount(0), "0");
  EXPECT_EQ(HumanCount(std::nan("")), "-");
}

TEST(HumanBytes, UsesBinaryUnits) {
  EXPECT_EQ(HumanBytes(512), "512 B");
  EXPECT_EQ(HumanBytes(1536), "1.5 KiB");
  EXPECT_EQ(HumanBytes(1048575), "1.0 MiB");
  EXPECT_EQ(HumanBytes(3.0 * (1 << 30)), "3.0 GiB");
}

TEST(HumanSeconds, GrowsWithTheDuration) {
  EXPECT_EQ(HumanSeconds(7), "0:07");
  EXPECT_EQ(HumanSeconds(725), "12:05");
  EXPECT_EQ(HumanSeconds(59.7), "1:00");
  EXPECT_EQ(HumanSeconds(10869), "3:01:09");
  EXPECT_EQ(HumanSeconds(352800), "4d 2h");
  EXPECT_EQ(HumanSeconds(-1), "-");
  EXPECT_EQ(HumanSeconds(std::numeric_limits<double>::infinity()), "-");
}

TEST(HumanAge, IsNeverNegative) {
  EXPECT_EQ(HumanAge(-5000), "0s");
  EXPECT_EQ(HumanAge(119'000), "119s");
  EXPECT_EQ(HumanAge(720'000), "12m");
  EXPECT_EQ(HumanAge(4LL * 86'400'000), "4d");
}

TEST(ProgressBar, FillsWithTheFraction) {
  EXPECT_EQ(ProgressBar(0, 4, kPlain), "[----]");
  EXPECT_EQ(ProgressBar(0.5, 4, kPlain), "[##--]");
  EXPECT_EQ(ProgressBar(1, 4, kPlain), "[####]");
}

TEST(ProgressBar, HoldsWhatIsOutOfRange) {
  EXPECT_EQ(ProgressBar(-3, 4, kPlain), "[----]");
  EXPECT_EQ(ProgressBar(7, 4, kPlain), "[####]");
  EXPECT_EQ(ProgressBar(std::nan(""), 4, kPlain), "[----]");
}

TEST(DisplayWidth, CountsCodePointsWithoutColours) {
  EXPECT_EQ(DisplayWidth("abc"), 3);
  EXPECT_EQ(DisplayWidth("━━é"), 3);
  EXPECT_EQ(DisplayWidth(Paint("abc", Color::kRed, kColor)), 3);
  EXPECT_EQ(DisplayWidth(ProgressBar(0.3, 24, kColor)), 24);
}

TEST(FitWidth, CutsBetweenCodePointsAndEndsColours) {
  EXPECT_EQ(FitWidth("abcdef", 3), "abc");
  EXPECT_EQ(FitWidth("é━x", 2), "é━");
  EXPECT_EQ(FitWidth("abc", 3), "abc");
  EXPECT_EQ(FitWidth(Paint("abcdef", Color::kRed, kColor), 2), "\x1b[31mab\x1b[0m");
}

TEST(StyleOf, HasNoColourOutsideATerminal) {
  FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  EXPECT_FALSE(StyleOf(file).color);
  std::fclose(file);
}

TEST(LiveBlock, RedrawsItsOwnLinesOnly) {
  char* text = nullptr;
  size_t size = 0;
  FILE* file = open_memstream(&text, &size);
  LiveBlock block(file);
  block.Draw({"one", "two"});
  block.Draw({"three"});
  std::fclose(file);
  EXPECT_EQ(std::string(text, size), "\r\x1b[2Kone\n\r\x1b[2Ktwo\n\x1b[0J\x1b[2A\r\x1b[2Kthree\n\x1b[0J");
  std::free(text);
}

TEST(Table, AlignsColumnsAndLeavesNoTrailingSpaces) {
  Table table({{"NAME"}, {"STEPS", true}, {"NOTE"}});
  table.AddRow({"a", "7", "x"});
  table.AddRow({"longer", "1200", ""});
  EXPECT_EQ(table.ToString(kPlain), "NAME    STEPS  NOTE\na           7  x\nlonger   1200  -\n");
}

TEST(Table, CutsOnlyAColumnThatMayShrinkAtTheTerminalsEdge) {
  const Style narrow{.width = 8};
  Table wraps({{"NAME"}, {"NOTE"}});
  wraps.AddRow({"a", "long note"});
  EXPECT_EQ(wraps.ToString(narrow), "NAME  NOTE\na     long note\n");
  Table shrinks({{"NAME"}, {"NOTE", false, true}});
  shrinks.AddRow({"a", "long note"});
  EXPECT_EQ(shrinks.ToString(narrow), "NAME  NO\na     lo\n");
}

}  // namespace
}  // namespace ridgeline
