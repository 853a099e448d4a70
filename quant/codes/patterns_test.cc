// SPDX-License-Identifier: Apache-2.0
#include "quant/codes/patterns.h"

#include <gtest/gtest.h>

#include <bit>
#include <set>
#include <vector>

namespace ridgeline {
namespace {

TEST(PatternsTest, MasksAreCountedInAscendingOrder) {
  for (int m = 1; m <= 10; ++m)
    for (int kept = 1; kept <= m; ++kept) {
      uint64_t rank = 0;
      for (uint32_t mask = 0; mask < 1u << m; ++mask) {
        if (std::popcount(mask) != kept) continue;
        EXPECT_EQ(RankOfMask(mask), rank);
        EXPECT_EQ(MaskOfRank(rank, kept, m), mask);
        ++rank;
      }
      EXPECT_EQ(Choices(m, kept), rank);
    }
}

TEST(PatternsTest, AMaskTakesTheBitsThatItsChoicesNeed) {
  EXPECT_EQ(BitsOfMask({2, 4}), 3);     // 6 choices
  EXPECT_EQ(BitsOfMask({1, 4}), 2);     // 4
  EXPECT_EQ(BitsOfMask({4, 8}), 7);     // 70
  EXPECT_EQ(BitsOfMask({16, 32}), 30);  // 601,080,390
  EXPECT_EQ(BitsOfMask({1, 1}), 0);
  EXPECT_EQ(BitsOfMask({}), 0);
}

TEST(PatternsTest, TheLargestGroupsHaveRoom) {
  EXPECT_EQ(Choices(32, 16), 601080390u);
  EXPECT_EQ(RankOfMask(0xFFFF0000u), 601080389u);
  EXPECT_EQ(MaskOfRank(601080389u, 16, 32), 0xFFFF0000u);
}

// Every group of levels that has a pattern.
std::vector<std::vector<int8_t>> EveryGroup(const PatternCode& code) {
  std::vector<std::vector<int8_t>> groups;
  std::vector<int8_t> group(static_cast<size_t>(code.sparsity.m), -1);
  while (true) {
    int kept = 0;
    for (int8_t level : group) kept += level != 0;
    if (code.kind == PatternKind::kSigns ? kept == code.sparsity.n : kept <= code.sparsity.n) groups.push_back(group);
    size_t i = 0;
    while (i < group.size() && ++group[i] > 1) group[i++] = -1;
    if (i == group.size()) return groups;
  }
}

TEST(PatternsTest, EveryGroupHasAnIndexOfItsOwnAndNoneIsLeftOver) {
  for (const PatternKind kind : {PatternKind::kSigns, PatternKind::kTernary})
    for (const SparsityPattern sparsity :
         {SparsityPattern{1, 2}, {1, 4}, {2, 4}, {3, 4}, {1, 8}, {2, 8}, {4, 8}, {3, 5}}) {
      const PatternCode code{kind, sparsity};
      std::set<uint64_t> indices;
      for (const std::vector<int8_t>& group : EveryGroup(code)) {
        const uint64_t index = code.IndexOf(group.data());
        EXPECT_LT(index, code.count());
        EXPECT_TRUE(indices.insert(index).second);
        std::vector<int8_t> back(group.size());
        code.LevelsOf(index, back.data());
        EXPECT_EQ(back, group);
      }
      EXPECT_EQ(indices.size(), code.count()) << sparsity.n << ":" << sparsity.m;
    }
}

TEST(PatternsTest, SignsOfTooFewNumbersAreFilledUp) {
  const PatternCode code{PatternKind::kSigns, {2, 4}};
  const std::vector<int8_t> group = {0, 0, 0, -1};
  std::vector<int8_t> back(4);
  code.LevelsOf(code.IndexOf(group.data()), back.data());
  EXPECT_EQ(back, (std::vector<int8_t>{1, 0, 0, -1}));
}

TEST(PatternsTest, OneBitGroupsCostWhatTheirPatternsDo) {
  EXPECT_EQ((PatternCode{PatternKind::kSigns, {2, 4}}.count()), 24u);
  EXPECT_EQ((PatternCode{PatternKind::kSigns, {1, 4}}.count()), 8u);
  EXPECT_EQ((PatternCode{PatternKind::kSigns, {1, 8}}.count()), 16u);
  EXPECT_EQ((PatternCode{PatternKind::kTernary, {2, 4}}.count()), 33u);
  const RadixWord word =
      RadixWordOf(24);  // 4.6 bits a group; no word of 64 bits has room for more than log2 24 = 4.585.
  EXPECT_EQ(word.digits, 5);
  EXPECT_EQ(word.bits, 23);
  EXPECT_EQ(RadixWordOf(8).bits, 3);
  EXPECT_EQ(RadixWordOf(8).digits, 1);
  EXPECT_EQ(RadixWordOf(16).bits, 4);
}

TEST(PatternsTest, NoWordIsLongerThanSixtyFourBitsOrWastesABit) {
  for (uint64_t radix :
       {uint64_t{2}, uint64_t{3}, uint64_t{24}, uint64_t{33}, uint64_t{1} << 40, Choices(32, 16) << 16}) {
    const RadixWord word = RadixWordOf(radix);
    EXPECT_GE(word.digits, 1);
    EXPECT_LE(word.bits, 64);
    EXPECT_EQ(word.bits, BitsOfDigits(radix, word.digits));
    EXPECT_LE(word.bits, word.digits * BitsOfDigits(radix, 1));
  }
  EXPECT_EQ(BitsOfDigits(24, 0), 0);
}

}  // namespace
}  // namespace ridgeline
