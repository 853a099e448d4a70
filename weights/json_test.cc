// SPDX-License-Identifier: Apache-2.0
#include "weights/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace ridgeline {
namespace {

using ::testing::HasSubstr;

std::string Refusal(std::string_view text, const JsonOptions& options = {}) {
  const auto json = ParseJsonObject(text, options);
  EXPECT_EQ(json.status().code(), absl::StatusCode::kDataLoss) << text;
  return std::string(json.status().message());
}

TEST(StrictJsonTest, AByteOrderMarkIsSkipped) {
  EXPECT_EQ(ParseJsonObject("\xEF\xBB\xBF{\"a\": 1}").value()["a"], 1);
  EXPECT_EQ(ParseJsonObject("\xEF\xBB\xBF{\"a\": NaN}", kConfigJson).value().size(), 1u);
}

TEST(StrictJsonTest, WhatPythonWritesForNumbersBeyondJsonIsReadWhereItIsAllowed) {
  const auto json = ParseJsonObject(
      R"({"a": NaN, "b": [Infinity, -Infinity, 1], "NaN": "Infinity", "q": "\\\" NaN", "c": {"d":-Infinity}})",
      kConfigJson);
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_TRUE(std::isnan((*json)["a"].get<double>()));
  EXPECT_EQ((*json)["b"][0].get<double>(), HUGE_VAL);
  EXPECT_EQ((*json)["b"][1].get<double>(), -HUGE_VAL);
  EXPECT_EQ((*json)["c"]["d"].get<double>(), -HUGE_VAL);
  EXPECT_EQ((*json)["NaN"], "Infinity");
  EXPECT_EQ((*json)["q"], "\\\" NaN");
}

TEST(StrictJsonTest, NumbersBeyondJsonAreRefusedElsewhere) {
  EXPECT_THAT(Refusal(R"({"a": NaN})"), HasSubstr("at line 1, column "));
  for (const char* text : {R"({"a": nan})", R"({"a": Inf})", R"({"a": +Infinity})", R"({"a": Infinity5})",
                           R"({NaN: 1})", R"({"a": NaN"b"})", R"(NaN)"})
    Refusal(text, kConfigJson);
}

TEST(StrictJsonTest, DepthLengthAndKeysThatRepeatAreRefused) {
  EXPECT_THAT(Refusal(R"({"a":{"b":[1]}})", {.max_depth = 2}), HasSubstr("more than 2 levels"));
  EXPECT_THAT(Refusal(R"({"a":1})", {.max_bytes = 6}), HasSubstr("7 bytes, more than 6"));
  EXPECT_THAT(Refusal(R"({"a":{"b":1,"b":2}})"), HasSubstr("'b' repeats"));
  for (const char* text : {"", "{", "[]", "7", "{} {}", "{\"a\":1,}", "{\"\xE9\":1}", "{'a':1}"}) Refusal(text);
}

}  // namespace
}  // namespace ridgeline
