// SPDX-License-Identifier: Apache-2.0
#include "frontier/glyphs.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace ridgeline {
namespace {

TEST(Glyphs, AreThoseOfAllFontsTogether) {
  const Glyphs glyphs = Glyphs::Parse("20-7e a0\n4e00-4e0f 30-40\n7d-90\n");
  for (char32_t c : {0x20, 0x7E, 0x90, 0xA0, 0x4E00, 0x4E0F, 0x41})
    EXPECT_TRUE(glyphs.Has(c)) << static_cast<uint32_t>(c);
  for (char32_t c : {0x1F, 0x91, 0x9F, 0xA1, 0x4DFF, 0x4E10}) EXPECT_FALSE(glyphs.Has(c)) << static_cast<uint32_t>(c);
  EXPECT_FALSE(Glyphs::Parse("").Has('a'));
  EXPECT_FALSE(Glyphs::Parse("zz - 12-\n").Has(0x12));
}

TEST(Glyphs, OfThisMachineHaveLatin) { EXPECT_TRUE(Glyphs::OfInstalledFonts().Has(U'e')); }

TEST(WithoutMissing, ShowsASquareForWhatNoFontHasAndNamesItOnce) {
  const Glyphs glyphs = Glyphs::Parse("20-7e e9 25a1");
  std::string missing;
  EXPECT_EQ(WithoutMissing("café 量化量", glyphs, &missing), "café □□□");
  EXPECT_EQ(missing, "量化");
  EXPECT_EQ(WithoutMissing("'x\xFF\n'", glyphs, &missing), "'x\xFF\n'");
  EXPECT_EQ(missing, "量化");
}

TEST(WithoutMissing, DropsInvisibleCharactersThatAreMissing) {
  std::string missing;
  EXPECT_EQ(WithoutMissing("a\u200Db\uFE0Fe\u0301", Glyphs::Parse("20-7e"), &missing), "abe");
  EXPECT_EQ(missing, "");
  EXPECT_EQ(WithoutMissing("量", Glyphs::Parse("20-7e"), &missing), "?");
}

}  // namespace
}  // namespace ridgeline
