// SPDX-License-Identifier: Apache-2.0
#include "common/printable.h"

#include <gtest/gtest.h>

#include "common/utf8.h"

namespace ridgeline {
namespace {

TEST(PrintableTest, NothingThatSteersATerminalIsLeft) {
  for (char32_t c = 0; c < 0x3000; ++c) {
    std::string text;
    AppendUtf8(c, &text);
    const bool harmless = c == U'\n' || c == U'\t' || (c >= 0x20 && c < 0x7F) ||
                          (c >= 0xA0 && c != 0x61C && c != 0x200E && c != 0x200F && !(c >= 0x2028 && c <= 0x202E) &&
                           !(c >= 0x2066 && c <= 0x2069));
    EXPECT_EQ(Printable(text), harmless ? text : "?") << static_cast<uint32_t>(c);
  }
}

TEST(PrintableTest, TextOfAnyScriptStaysAsItIs) {
  const std::string text = "größer 日本語 שלום 😀\n\tand on";
  EXPECT_EQ(Printable(text), text);
  EXPECT_EQ(Printable("\x1b[31mred\x1b]0;title\x07"), "?[31mred?]0;title?");
  EXPECT_EQ(Printable("\xff\xc2"), "??");
}

TEST(PrintableTest, ALineIsOneLineAndWholeCharacters) {
  EXPECT_EQ(PrintableLine("a\nb\tc\r"), "a b c?");
  EXPECT_EQ(PrintableLine("größer", 3), "gr");
  EXPECT_EQ(PrintableLine("größer", 4), "grö");
  EXPECT_EQ(PrintableLine("größer", 100), "größer");
  EXPECT_EQ(PrintableLine("", 0), "");
}

}  // namespace
}  // namespace ridgeline
