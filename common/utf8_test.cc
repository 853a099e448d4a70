// SPDX-License-Identifier: Apache-2.0
#include "common/utf8.h"

#include <gtest/gtest.h>

namespace ridgeline {
namespace {

TEST(Utf8Test, EveryCodePointRoundTrips) {
  std::string text;
  std::u32string all;
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    AppendUtf8(c, &text);
    all.push_back(c);
  }
  auto back = Utf8ToCodePoints(text);
  ASSERT_TRUE(back.ok());
  EXPECT_TRUE(*back == all);
}

TEST(Utf8Test, WrongBytesAreRefusedWithTheirOffset) {
  const std::string wrong[] = {"\x80",
                               "\xC3",
                               "\xC3(",
                               "\xC0\xAF",
                               "\xE0\x80\xAF",
                               "\xF0\x80\x80\xAF",  // Continuations, cut off, overlong.
                               "\xED\xA0\x80",
                               "\xF4\x90\x80\x80",
                               "\xF8\x88\x80\x80\x80",
                               "\xFF"};  // Surrogate, too high, never a lead.
  for (const std::string& bytes : wrong) {
    absl::Status status = Utf8ToCodePoints("abc\xC3\xA9" + bytes).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(std::string(status.message()).find("offset 5"), std::string::npos);
  }
}

TEST(Utf8Test, WrongBytesBecomeQuestionMarksAndTheRestStays) {
  EXPECT_EQ(ToValidUtf8("a\xC3\xA9\xFFz\xC3"), "a\xC3\xA9?z?");
  EXPECT_EQ(ToValidUtf8(""), "");
}

}  // namespace
}  // namespace ridgeline
