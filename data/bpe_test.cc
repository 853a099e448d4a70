// SPDX-License-Identifier: Apache-2.0
// Byte-pair encoding from its merges up, and the files that hold one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/added_tokens.h"
#include "data/bpe_merges.h"
#include "data/bpe_tokenizer.h"
#include "data/byte_alphabet.h"
#include "data/gpt2_words.h"
#include "data/hf_tokenizer_json.h"
#include "data/load_tokenizer_from.h"
#include "data/vocab_and_merges.h"
#include "nlohmann/json.hpp"

namespace ridgeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Json = nlohmann::json;

// The plain form: again and again the lowest rank, leftmost. O(n^2).
std::vector<uint32_t> MergedPlainly(const std::vector<BpeMerge>& by_rank, std::vector<uint32_t> symbols) {
  for (bool merged = true; merged;) {
    merged = false;
    for (const BpeMerge& merge : by_rank) {
      for (size_t i = 0; i + 1 < symbols.size() && !merged; ++i) {
        if (symbols[i] != merge.left || symbols[i + 1] != merge.right) continue;
        symbols[i] = merge.result;
        symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        merged = true;
      }
      if (merged) break;
    }
  }
  return symbols;
}

TEST(BpeMergesTest, GivesWhatThePlainFormGives) {
  const std::vector<BpeMerge> by_rank = {{0, 1, 3}, {1, 1, 4}, {3, 0, 5}, {0, 0, 6}, {6, 6, 7}, {4, 2, 8}, {5, 4, 9}};
  const BpeMerges merges(by_rank);
  BpeMerges::Scratch scratch;
  uint32_t state = 1;
  for (int word = 0; word < 2000; ++word) {
    std::vector<uint32_t> symbols;
    for (int i = 0; i < word % 23; ++i) {
      state = state * 1664525 + 1013904223;
      symbols.push_back((state >> 16 & 3) != 0 ? state >> 20 & 1 : 2);
    }
    const std::vector<uint32_t> expected = MergedPlainly(by_rank, symbols);
    merges.Apply(&symbols, &scratch);
    ASSERT_EQ(symbols, expected) << word;
  }
}

TEST(ByteAlphabetTest, EveryByteHasASpellingOfItsOwn) {
  std::string spelled, bytes;
  for (int byte = 0; byte < 256; ++byte) {
    bytes.push_back(static_cast<char>(byte));
    spelled += SpellByte(static_cast<unsigned char>(byte));
  }
  EXPECT_EQ(BytesOfSpelling(spelled), bytes);
  EXPECT_EQ(SpellByte(' '), "\xC4\xA0");  // The well-known G with a dot
  EXPECT_EQ(BytesOfSpelling("a b"), std::nullopt);
}

std::vector<std::string> WordsOf(const std::string& text) {
  Gpt2Words splitter;
  std::vector<std::string> words;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = splitter.EndOfWord(text, begin).value();
    words.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  return words;
}

TEST(Gpt2WordsTest, CutsContractionsNumbersAndSpaces) {
  EXPECT_THAT(WordsOf("I'll pay  $12.50\n\n ok "),
              ElementsAre("I", "'ll", " pay", " ", " $", "12", ".", "50", "\n\n", " ok", " "));
  EXPECT_THAT(WordsOf("a\xC2\xA0"
                      "b\xE1\xA0\x8E"),
              ElementsAre("a", "\xC2\xA0", "b", "\xE1\xA0\x8E"));
}

TEST(AddedTokensTest, TheLeftmostThenTheLongestWins) {
  AddedTokens tokens;
  tokens.Add("<a>", 1);
  tokens.Add("<a><b>", 2);
  tokens.Add("b>", 3);
  std::vector<std::string> seen;
  ASSERT_TRUE(tokens
                  .ForEach(
                      "x<a><b><a><a<a>",
                      [&](std::string_view plain, size_t offset) {
                        seen.push_back(std::string(plain) + "@" + std::to_string(offset));
                        return absl::OkStatus();
                      },
                      [&](uint32_t id) { seen.push_back(std::to_string(id)); })
                  .ok());
  EXPECT_THAT(seen, ElementsAre("x@0", "2", "1", "<a@10", "1"));
}

// Quadratic merging would take hours: the test's time-out ends it.
TEST(BpeTokenizerTest, AWordOfAMegabyteIsEncodedWhole) {
  auto tokenizer = LoadTokenizerFrom(RIDGELINE_TESTDATA "/small_bpe/tokenizer.json").value();
  std::string letters;
  while (letters.size() < 1'000'000) letters += "thebeginning";
  for (const std::string& text : {letters, std::string(1'000'000, 'a'), std::string(1'000'000, ' ')})
    EXPECT_EQ(tokenizer->Decode(tokenizer->Encode(text).value()).value(), text);
}

Json TinyTokenizerJson() {
  return Json::parse(R"({"added_tokens": [{"id": 3, "content": "<|x|>", "special": true}],
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}})");
}

TEST(HfTokenizerJsonTest, ReadsBothSpellingsOfMergesAndAddedTokens) {
  Json json = TinyTokenizerJson();
  auto tokenizer = MakeBpeTokenizer(ParseHfTokenizerJson(json.dump()).value()).value();
  EXPECT_THAT(tokenizer->Encode("aab<|x|>").value(), ElementsAre(0, 2, 3));
  EXPECT_TRUE(tokenizer->IsControl(3));
  json["model"]["merges"] = Json::array({Json::array({"a", "b"})});
  auto pairs = MakeBpeTokenizer(ParseHfTokenizerJson(json.dump()).value()).value();
  EXPECT_EQ(pairs->ToJson(), tokenizer->ToJson());
  EXPECT_THAT(std::string(tokenizer->Encode("<|x|>abc").status().message()), HasSubstr("byte offset 7"));
}

TEST(HfTokenizerJsonTest, WhatRidgelineDoesNotReadIsRefusedAsSuch) {
  const std::pair<const char*, Json> patches[] = {{"/model/type", "WordPiece"},
                                                  {"/model/ignore_merges", true},
                                                  {"/model/dropout", 0.1},
                                                  {"/normalizer", {{"type", "NFC"}}},
                                                  {"/pre_tokenizer/use_regex", false},
                                                  {"/pre_tokenizer/add_prefix_space", true},
                                                  {"/pre_tokenizer/type", "Whitespace"},
                                                  {"/added_tokens/0/lstrip", true}};
  for (const auto& [pointer, value] : patches) {
    Json json = TinyTokenizerJson();
    json[Json::json_pointer(pointer)] = value;
    EXPECT_EQ(ParseHfTokenizerJson(json.dump()).status().code(), absl::StatusCode::kUnimplemented) << pointer;
  }
}

TEST(HfTokenizerJsonTest, WrongFilesAreDataLoss) {
  const std::pair<const char*, Json> patches[] = {{"/model", 7},
                                                  {"/model/vocab", nullptr},
                                                  {"/model/vocab/ab", 4294967295u},
                                                  {"/model/vocab/ab", 1},
                                                  {"/model/vocab/ab", -1},
                                                  {"/model/merges", "a b"},
                                                  {"/model/merges/0", "ab"},
                                                  {"/model/merges/0", "a b c"},
                                                  {"/model/merges/0", "b a"},
                                                  {"/added_tokens", "x"},
                                                  {"/added_tokens/0/id", 1},
                                                  {"/added_tokens/0/content", ""}};
  for (const auto& [pointer, value] : patches) {
    Json json = TinyTokenizerJson();
    json[Json::json_pointer(pointer)] = value;
    auto vocabulary = ParseHfTokenizerJson(json.dump());
    const absl::Status status = vocabulary.ok() ? MakeBpeTokenizer(*vocabulary).status() : vocabulary.status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << pointer << " " << value;
  }
}

TEST(VocabAndMergesTest, WrongLinesAreNamed) {
  auto message = [](std::string_view merges) {
    return std::string(ParseVocabAndMerges(R"({"a":0,"b":1,"ab":2})", merges).status().message());
  };
  EXPECT_EQ(message("#version: 0.2\na b\r\n\n"), "");
  EXPECT_THAT(message("#version: 0.2\na b\nab\n"), HasSubstr("line 3"));
  EXPECT_EQ(ParseVocabAndMerges("[]", "").status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace ridgeline
