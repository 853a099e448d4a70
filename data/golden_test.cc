// SPDX-License-Identifier: Apache-2.0
// The same ids as transformers, tokenizers and sentencepiece give (testdata/make_golden.py), page by page. Gemma's and
// GPT-2's own vocabularies are not kept here: RIDGELINE_GEMMA3_270M names a GGUF file of Gemma 3 270M, RIDGELINE_GPT2 a
// folder with GPT-2's vocab.json and merges.txt. tools/run_tests.sh fetches both and sets them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "common/file.h"
#include "data/encode_parts.h"
#include "data/load_tokenizer_from.h"
#include "data/stream_decoder.h"
#include "nlohmann/json.hpp"

namespace ridgeline {
namespace {

using Ids = std::vector<uint32_t>;

const std::string kTestdata = RIDGELINE_TESTDATA;

std::string Page(const std::string& name) { return ReadFile(kTestdata + "/pages/" + name + ".txt").value(); }

nlohmann::json GoldenIds(const std::string& name) {
  return nlohmann::json::parse(ReadFile(kTestdata + "/" + name).value());
}

std::string DecodedByStream(const Tokenizer& tokenizer, const Ids& ids) {
  StreamDecoder decoder(tokenizer, ControlTokens::kSkipped);
  std::string text;
  for (uint32_t id : ids) text += decoder.Add(id).value();
  return text + decoder.Finish();
}

void ExpectGoldenIds(const Tokenizer& tokenizer, const std::string& golden_name) {
  const nlohmann::json golden = GoldenIds(golden_name);
  ASSERT_EQ(golden.size(), 7u);
  for (const auto& [name, ids] : golden.items()) {
    const std::string page = Page(name);
    EXPECT_EQ(EncodePrompt(tokenizer, page).value(), ids.get<Ids>()) << name;
    EXPECT_EQ(DecodedByStream(tokenizer, ids.get<Ids>()), page) << name;
    EXPECT_EQ(tokenizer.Decode(tokenizer.Encode(page).value()).value(), page) << name;
  }
}

// Longer than several parts, its pages in changing order.
std::string LongText() {
  const std::vector<std::string> names = {"arabic", "chinese", "code", "emoji", "english", "genesis", "whitespace"};
  std::string text;
  for (size_t i = 0; text.size() < 400'000; i += 3) text += Page(names[i % names.size()]) + (i % 2 ? "\n" : "");
  return text;
}

// Parts change nothing, there are several of them, and it does not matter how many threads do them.
void ExpectPartsGiveTheSameIds(const Tokenizer& tokenizer) {
  const std::string text = LongText();
  EXPECT_LT(tokenizer.CutAfter(text, 16'384), text.size() / 4);
  const Ids whole = tokenizer.Encode(text).value();
  for (const int threads : {1, 2, 5}) {
    double done = 0;
    EXPECT_EQ(EncodeInParts(
                  tokenizer, text, [&](double fraction) { done = fraction; }, threads)
                  .value(),
              whole);
    EXPECT_EQ(done, 1);
  }
}

void ExpectSavedGivesTheSame(const Tokenizer& tokenizer) {
  auto loaded = LoadTokenizer(tokenizer.ToJson(), tokenizer.FileBytes()).value();
  EXPECT_EQ(loaded->ToJson(), tokenizer.ToJson());
  EXPECT_EQ(loaded->vocab_size(), tokenizer.vocab_size());
  const std::string text = Page("code") + Page("emoji") + Page("whitespace");
  EXPECT_EQ(EncodePrompt(*loaded, text).value(), EncodePrompt(tokenizer, text).value());
}

void ExpectAll(const Tokenizer& tokenizer, const std::string& golden_name) {
  ExpectGoldenIds(tokenizer, golden_name);
  ExpectPartsGiveTheSameIds(tokenizer);
  ExpectSavedGivesTheSame(tokenizer);
}

std::unique_ptr<Tokenizer> Load(const std::string& path) { return LoadTokenizerFrom(path).value(); }

// The golden ids of vocabularies trained here come without bos.
SpecialTokens WithoutBos(SpecialTokens special) {
  special.prompt_begins_with_bos = false;
  return special;
}

TEST(GoldenTest, SmallSentencePieceModelGivesTheLibrarysIds) {
  auto tokenizer = Load(kTestdata + "/small.model");
  nlohmann::json json = nlohmann::json::parse(tokenizer->ToJson());
  EXPECT_EQ(json["prompt_begins_with_bos"], true);
  json["prompt_begins_with_bos"] = WithoutBos(tokenizer->special_tokens()).prompt_begins_with_bos;
  ExpectAll(*LoadTokenizer(json.dump(), tokenizer->FileBytes()).value(), "small_sentencepiece.json");
}

TEST(GoldenTest, SmallByteLevelBpeGivesTokenizersIds) {
  ExpectAll(*Load(kTestdata + "/small_bpe/tokenizer.json"), "small_bpe.json");
}

TEST(GoldenTest, VocabAndMergesGiveTheIdsOfTokenizerJson) {
  ExpectAll(*Load(kTestdata + "/small_bpe/vocab.json"), "small_bpe.json");
}

TEST(GoldenTest, BpeOfGemmasKindGivesTokenizersIds) {
  ExpectAll(*Load(kTestdata + "/small_spaces_bpe.json"), "small_spaces_bpe_ids.json");
}

TEST(GoldenTest, Gemma3GgufGivesTransformersIds) {
  const char* path = std::getenv("RIDGELINE_GEMMA3_270M");
  if (path == nullptr) GTEST_SKIP() << "RIDGELINE_GEMMA3_270M names no GGUF file of Gemma 3 270M";
  auto tokenizer = Load(path);
  EXPECT_EQ(tokenizer->vocab_size(), 262'144);
  EXPECT_EQ(tokenizer->special_tokens().bos_id, 2u);
  EXPECT_EQ(tokenizer->special_tokens().eos_id, 1u);
  EXPECT_EQ(EncodePrompt(*tokenizer, Page("genesis")).value(),
            (Ids{2,      902,  506, 6534, 3803, 4464, 506,  20808,  532, 506,  7764,
                 236761, 1452, 506, 7764, 691,  2180, 1183, 236764, 532, 2325, 236793}));
  EXPECT_EQ(EncodePrompt(*tokenizer, "<start_of_turn>user\nhi<end_of_turn>").value(),
            (Ids{2, 105, 2364, 107, 2202, 106}));
  ExpectAll(*tokenizer, "gemma3.json");
}

TEST(GoldenTest, Gpt2FilesGiveTransformersIds) {
  const char* folder = std::getenv("RIDGELINE_GPT2");
  if (folder == nullptr) GTEST_SKIP() << "RIDGELINE_GPT2 names no folder with GPT-2's vocab.json and merges.txt";
  auto tokenizer = Load(folder);
  EXPECT_EQ(tokenizer->vocab_size(), 50'257);
  EXPECT_EQ(tokenizer->special_tokens().eos_id, 50'256u);
  ExpectAll(*tokenizer, "gpt2.json");
}

}  // namespace
}  // namespace ridgeline
