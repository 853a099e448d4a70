// SPDX-License-Identifier: Apache-2.0
#include "data/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "common/file.h"
#include "data/load_tokenizer_from.h"
#include "data/sentencepiece_vocabulary.h"
#include "data/train_sentencepiece.h"

namespace ridgeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string MessageOf(const absl::Status& status) { return std::string(status.message()); }

TEST(CharTokenizerTest, IdsRiseWithCodePointsAndDecodeInvertsEncode) {
  std::string text =
      "b\xC3\xA9"
      "a\n\xF0\x9F\x98\x80"
      "b";
  auto tokenizer = MakeCharTokenizer(text).value();
  EXPECT_EQ(tokenizer->vocab_size(), 5);
  auto ids = tokenizer->Encode(text).value();
  EXPECT_THAT(ids, ElementsAre(2, 3, 1, 0, 4, 2));
  EXPECT_EQ(tokenizer->Decode(ids).value(), text);
}

TEST(CharTokenizerTest, JsonKeepsTheVocabulary) {
  auto tokenizer = MakeCharTokenizer(std::string("a\0\"\\\xE2\x82\xAC", 7)).value();
  auto loaded = LoadTokenizer(tokenizer->ToJson(), tokenizer->FileBytes()).value();
  EXPECT_EQ(loaded->kind(), "char");
  EXPECT_EQ(loaded->ToJson(), tokenizer->ToJson());
  EXPECT_EQ(loaded->Decode({0, 1, 2, 3, 4}).value(), tokenizer->Decode({0, 1, 2, 3, 4}).value());
}

TEST(CharTokenizerTest, WhatTheVocabularyCannotExpressIsRefusedWithItsOffset) {
  auto tokenizer = MakeCharTokenizer("ab").value();
  EXPECT_THAT(MessageOf(tokenizer->Encode("abz").status()), HasSubstr("U+007A at byte offset 2"));
  EXPECT_THAT(MessageOf(tokenizer->Encode("a\xFF").status()), HasSubstr("offset 1"));
  EXPECT_THAT(MessageOf(tokenizer->Decode({0, 2}).status()), HasSubstr("id 2"));
  EXPECT_EQ(MakeCharTokenizer("").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(LoadTokenizerTest, HostileJsonIsRefused) {
  for (const char* json :
       {"", "{", "[]", "null", "{}", R"({"kind":1})", R"({"kind":"bpe"})", R"({"kind":"char"})",
        R"({"kind":"char","vocabulary":[]})", R"({"kind":"char","vocabulary":["ab"]})",
        R"({"kind":"char","vocabulary":["b","a"]})", R"({"kind":"char","vocabulary":["a","a"]})",
        R"({"kind":"char","vocabulary":[""]})", R"({"kind":"char","vocabulary":[7]})", R"({"kind":"sentencepiece"})",
        R"({"kind":"bpe"})", R"({"kind":"sentencepiece","file_sha256":7})", R"({"kind":"bpe","file_sha256":"ab"})"}) {
    EXPECT_EQ(LoadTokenizer(json, "").status().code(), absl::StatusCode::kDataLoss) << json;
  }
}

class SentencePieceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("ridgeline_sentencepiece_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    std::ofstream text(folder_ / "text");
    for (int i = 0; i < 200; ++i) text << "in the beginning was the word " << i << " and the word was good\n";
    text.close();
    ASSERT_EQ(TrainSentencePiece((folder_ / "text").string(), (folder_ / "small").string(), 300, "identity"), "");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string model() const { return (folder_ / "small.model").string(); }
  std::filesystem::path folder_;
};

TEST_F(SentencePieceTest, DecodeInvertsEncodeAlsoThroughJson) {
  auto tokenizer = LoadTokenizerFrom(model()).value();
  EXPECT_EQ(tokenizer->vocab_size(), 300);
  std::string text = "the word was good \xE2\x82\xAC";  // The euro sign needs byte fallback.
  auto ids = tokenizer->Encode(text).value();
  EXPECT_LT(ids.size(), text.size());
  EXPECT_EQ(tokenizer->Decode(ids).value(), text);
  auto loaded = LoadTokenizer(tokenizer->ToJson(), tokenizer->FileBytes()).value();
  EXPECT_EQ(loaded->kind(), "sentencepiece");
  EXPECT_EQ(loaded->Encode(text).value(), ids);
}

TEST_F(SentencePieceTest, ANormalizersCharacterMapIsTakenWholeAndRefusedDamaged) {
  ASSERT_EQ(TrainSentencePiece((folder_ / "text").string(), (folder_ / "nfkc").string(), 300, "nmt_nfkc"), "");
  const std::string path = (folder_ / "nfkc.model").string();
  auto tokenizer = LoadTokenizerFrom(path).value();
  EXPECT_EQ(tokenizer->Decode(tokenizer->Encode("\xEF\xBD\x97ord").value()).value(), "word");  // A full-width w
  auto vocabulary = ParseSentencePieceModel(ReadFile(path).value()).value();
  const std::string map = vocabulary.character_map;
  ASSERT_GT(map.size(), 1000u);
  // A first unit whose children lie far outside, and a map without its last bytes.
  vocabulary.character_map[4 + 3] = '\x7F';
  EXPECT_EQ(CheckSentencePieceVocabulary(vocabulary).code(), absl::StatusCode::kDataLoss);
  vocabulary.character_map = map.substr(0, map.size() - 2);
  EXPECT_EQ(CheckSentencePieceVocabulary(vocabulary).code(), absl::StatusCode::kDataLoss);
}

TEST_F(SentencePieceTest, WrongTextAndWrongIdsAreRefused) {
  auto tokenizer = LoadTokenizerFrom(model()).value();
  EXPECT_THAT(MessageOf(tokenizer->Encode("the \xFF").status()), HasSubstr("offset 4"));
  EXPECT_THAT(MessageOf(tokenizer->Decode({300}).status()), HasSubstr("id 300"));
}

TEST_F(SentencePieceTest, AFileThatIsNoModelIsRefusedByName) {
  absl::Status status = LoadTokenizerFrom((folder_ / "text").string()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(MessageOf(status), HasSubstr("text"));
  EXPECT_THAT(MessageOf(status), HasSubstr("a tokenizer is a SentencePiece model"));
  EXPECT_EQ(LoadTokenizerFrom((folder_ / "absent").string()).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace ridgeline
