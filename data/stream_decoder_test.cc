// SPDX-License-Identifier: Apache-2.0
#include "data/stream_decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/utf8.h"
#include "data/load_tokenizer_from.h"

namespace ridgeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class StreamDecoderTest : public ::testing::Test {
 protected:
  std::vector<std::string> Stream(const std::vector<uint32_t>& ids) {
    StreamDecoder decoder(*tokenizer_);
    std::vector<std::string> texts;
    for (uint32_t id : ids) texts.push_back(decoder.Add(id).value());
    texts.push_back(decoder.Finish());
    return texts;
  }
  std::vector<uint32_t> Encode(const std::string& text) { return tokenizer_->Encode(text).value(); }

  std::unique_ptr<Tokenizer> tokenizer_ = LoadTokenizerFrom(RIDGELINE_TESTDATA "/small.model").value();
};

TEST_F(StreamDecoderTest, ACharacterAppearsWithItsLastByteAndNeverInParts) {
  const std::vector<uint32_t> ids = Encode("\xF0\x93\x80\x80");  // No piece: four byte tokens.
  ASSERT_EQ(ids.size(), 4u);
  EXPECT_THAT(Stream(ids), ElementsAre("", "", "", "\xF0\x93\x80\x80", ""));
}

TEST_F(StreamDecoderTest, BytesThatBecomeNoCharacterAreReplacedOneByOne) {
  std::vector<uint32_t> ids = Encode("\xF0\x93\x80\x80");
  const std::string replacement = "\xEF\xBF\xBD";
  EXPECT_THAT(Stream({ids[0], ids[1]}), ElementsAre("", "", replacement + replacement));
  const uint32_t newline = Encode("\n")[0];
  EXPECT_THAT(Stream({ids[0], newline}), ElementsAre("", replacement + "\n", ""));
  EXPECT_EQ(tokenizer_->Decode({ids[2], newline}).value(), replacement + "\n");
}

TEST_F(StreamDecoderTest, EveryCutOfATextGivesUtf8) {
  const std::vector<uint32_t> ids = Encode("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\xA4\xB7 b");
  for (size_t count = 0; count <= ids.size(); ++count) {
    StreamDecoder decoder(*tokenizer_);
    for (size_t i = 0; i < count; ++i) EXPECT_TRUE(Utf8ToCodePoints(decoder.Add(ids[i]).value()).ok());
    EXPECT_TRUE(Utf8ToCodePoints(decoder.Finish()).ok());
  }
}

TEST_F(StreamDecoderTest, ControlTokensAreSkippedOrSpelled) {
  const std::string text = "<start_of_turn>In the<end_of_turn>\n";
  const std::vector<uint32_t> ids = Encode(text);
  EXPECT_EQ(tokenizer_->Decode(ids).value(), text);
  EXPECT_EQ(tokenizer_->Decode(ids, ControlTokens::kSkipped).value(), "In the\n");
}

TEST_F(StreamDecoderTest, AnIdOutsideTheVocabularyIsRefused) {
  StreamDecoder decoder(*tokenizer_);
  EXPECT_THAT(std::string(decoder.Add(700).status().message()), HasSubstr("id 700"));
}

}  // namespace
}  // namespace ridgeline
