// SPDX-License-Identifier: Apache-2.0
#include "common/numbers.h"

#include <gtest/gtest.h>

#include <limits>

namespace ridgeline {
namespace {

TEST(ParseNumber, TakesTheLimitsAndWhatIsBetween) {
  EXPECT_EQ(ParseNumber("0", 0, 100).value(), 0);
  EXPECT_EQ(ParseNumber("100", 0, 100).value(), 100);
  EXPECT_EQ(ParseNumber("2.5e1", 0, 100).value(), 25);
  EXPECT_EQ(ParseNumber("-1", -1, 1).value(), -1);
}

TEST(ParseNumber, RefusesAllElseAndNamesTheRange) {
  for (const char* text : {"", " ", "nan", "-nan", "inf", "-inf", "1e999", "-1", "100.5", "1x", " 1", "1 ", "0x1p2x"}) {
    const absl::Status status = ParseNumber(text, 0, 100).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_NE(std::string(status.message()).find("from 0 to 100"), std::string::npos) << status;
  }
}

TEST(ParseInteger, TakesAll64Bits) {
  constexpr int64_t kLow = std::numeric_limits<int64_t>::min(), kHigh = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(ParseInteger("-9223372036854775808", kLow, kHigh).value(), kLow);
  EXPECT_EQ(ParseInteger("9223372036854775807", kLow, kHigh).value(), kHigh);
}

TEST(ParseInteger, RefusesAllElseAndNamesTheRange) {
  for (const char* text :
       {"", "nan", "1.0", "1e3", "-1", "1025", "9223372036854775808", "18446744073709551617", " 1"}) {
    const absl::Status status = ParseInteger(text, 0, 1024).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_NE(std::string(status.message()).find("from 0 to 1024"), std::string::npos) << status;
  }
}

}  // namespace
}  // namespace ridgeline
