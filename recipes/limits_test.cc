// SPDX-License-Identifier: Apache-2.0
// Texts made to exhaust memory, stack or time. CTest's time-out is the judge of what does not end.
#include <ostream>
#include <string>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "recipes/testing.h"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::SizeIs;

std::string Repeat(const std::string& piece, size_t max_bytes = kMaxRecipeBytes) {
  std::string text;
  while (text.size() + piece.size() <= max_bytes) text += piece;
  return text;
}

TEST(LimitsTest, BillionLaughsAreRefusedWhereTheyGetTooMany) {
  std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c < 'z'; ++c) {
    bomb += fmt::format("{0}: &{0} [*{1},*{1},*{1},*{1},*{1},*{1},*{1},*{1},*{1}]\n", c, static_cast<char>(c - 1));
  }
  EXPECT_THAT(ProblemsOf(bomb), ElementsAre(HasSubstr("r:6:11: the recipe holds over 100000 values once its aliases")));
}

TEST(LimitsTest, AliasesToALongTextAreBounded) {
  std::string bomb = "labels: {k: &x " + std::string(4000, 'y');
  for (int i = 0; i < 40'000; ++i) bomb += fmt::format(", k{}: *x", i);
  EXPECT_THAT(ProblemsOf(bomb + "}\n"), ElementsAre(HasSubstr("the recipe holds over 100000 values")));
}

TEST(LimitsTest, AnAliasToWhatItStandsInIsRefused) {
  EXPECT_THAT(ProblemsOf("labels: &a {x: *a}\n"),
              ElementsAre("r:1:16: the alias stands inside what it names (write the value out)"));
}

TEST(LimitsTest, TooManyValuesAreRefused) {
  EXPECT_THAT(ProblemsOf(Repeat("- a\n")), ElementsAre(HasSubstr("r:100000:3: the recipe holds over 100000 values")));
}

struct Opener {
  const char* name;
  std::string text;
};

void PrintTo(const Opener& opener, std::ostream* out) { *out << opener.name; }

class DeepTest : public ::testing::TestWithParam<Opener> {};

TEST_P(DeepTest, NestingIsRefusedWithoutAStackOverflow) {
  const std::string& text = GetParam().text;
  EXPECT_THAT(ProblemsOf(Repeat(text)), SizeIs(1));
  // Deep enough for our limit, not for the one on brackets.
  EXPECT_THAT(ProblemsOf(Repeat(text, 500 * text.size())), SizeIs(1));
}

INSTANTIATE_TEST_SUITE_P(Openers, DeepTest,
                         ::testing::Values(Opener{"List", "["}, Opener{"Map", "{"}, Opener{"ListItem", "[a,"},
                                           Opener{"MapValue", "{a: "}, Opener{"ListPerLine", "[\n"},
                                           Opener{"BlockList", "- "}, Opener{"BlockKey", "? "}, Opener{"MapKey", "{? "},
                                           Opener{"ListAfterList", "[[],"}),
                         [](const auto& info) { return info.param.name; });

TEST(LimitsTest, DeepIndentationIsRefused) {
  std::string stairs;
  for (int depth = 0; depth < 1'000; ++depth) stairs += std::string(depth, ' ') + "a:\n";
  EXPECT_THAT(ProblemsOf(stairs), ElementsAre(HasSubstr("the nesting is over 64 levels deep")));
}

TEST(LimitsTest, TextOverOneMebibyteIsRefused) {
  std::string largest = "dataset: {path: x}\n#";
  largest += std::string(kMaxRecipeBytes - largest.size(), '.');
  EXPECT_THAT(ProblemsOf(largest), SizeIs(0));
  EXPECT_THAT(ProblemsOf(largest + "."), ElementsAre("r: the recipe has 1048577 bytes (at most 1048576 bytes)"));
}

TEST(LimitsTest, EndlesslyManyProblemsAreCutAtAHundred) {
  std::string text = "dataset: {path: x}\n";
  for (int i = 0; i < 20'000; ++i) text += fmt::format("stpes{}: 1\n", i);
  std::vector<std::string> problems = ProblemsOf(text);
  ASSERT_THAT(problems, SizeIs(101));
  EXPECT_EQ(problems.back(), "r: 19900 more problems are not shown (fix those above first)");
}

TEST(LimitsTest, LongKeysAndValuesAreCutInMessages) {
  std::string long_text(100'000, 'k');
  EXPECT_THAT(
      ProblemsOf("dataset: {path: x}\n" + long_text.substr(0, 1'000) + ": 1\nname: " + long_text + "\n"),
      ElementsAre(AllOf(HasSubstr("unknown key 'kkk"), HasSubstr("...' (1000 bytes)")),
                  AllOf(HasSubstr("name: 'kkk"), EndsWith("...' (100000 bytes) is too long (at most 4096 bytes)"))));
}

TEST(LimitsTest, SweepWithTooManyChildrenIsRefused) {
  std::string values;
  for (int i = 1; i <= 101; ++i) values += fmt::format("{}{}", i == 1 ? "" : ", ", i);
  EXPECT_THAT(ProblemsOf(fmt::format("dataset: {{path: x}}\nsweep:\n  parameters:\n    training.seed: [{0}]\n"
                                     "    training.steps: [{0}]\n",
                                     values)),
              ElementsAre("r:3:3: sweep.parameters: the sweep has over 10000 children (split it)"));
}

}  // namespace
}  // namespace ridgeline
