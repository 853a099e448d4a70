// SPDX-License-Identifier: Apache-2.0
// Texts in remembered chunks have the ids of texts in one piece, whatever is in them.
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "common/file.h"
#include "common/utf8.h"
#include "data/bpe_tokenizer.h"
#include "data/hf_tokenizer_json.h"
#include "data/piece_cuts.h"
#include "data/sentencepiece_tokenizer.h"

namespace ridgeline {
namespace {

using Ids = std::vector<uint32_t>;

struct Both {
  std::unique_ptr<Tokenizer> cached, whole;
};

Both BpeOf(const std::string& name) {
  const std::string json = ReadFile(RIDGELINE_TESTDATA "/" + name).value();
  return {MakeBpeTokenizer(ParseHfTokenizerJson(json).value(), Chunks::kCached).value(),
          MakeBpeTokenizer(ParseHfTokenizerJson(json).value(), Chunks::kNone).value()};
}

Both SentencePieceOf(bool add_dummy_prefix) {
  SentencePieceVocabulary vocabulary =
      ParseSentencePieceModel(ReadFile(RIDGELINE_TESTDATA "/small.model").value()).value();
  vocabulary.add_dummy_prefix = add_dummy_prefix;
  vocabulary.remove_extra_whitespaces = false;
  vocabulary.character_map.clear();
  const SpecialTokens special = SpecialTokensOf(vocabulary);
  return {MakeSentencePieceTokenizer(vocabulary, special, Chunks::kCached).value(),
          MakeSentencePieceTokenizer(vocabulary, special, Chunks::kNone).value()};
}

// Letters, spaces of several kinds, scripts, emoji with their joiners, control characters, and words of the language.
std::string RandomText(std::mt19937& random) {
  static const std::vector<std::string> parts = {" ",
                                                 " ",
                                                 "  ",
                                                 "\n",
                                                 "\t",
                                                 "a",
                                                 "e",
                                                 "th",
                                                 "the",
                                                 " the",
                                                 " God",
                                                 "LORD",
                                                 "begin",
                                                 "ning",
                                                 ".",
                                                 ",",
                                                 "'s",
                                                 "12",
                                                 "<",
                                                 ">",
                                                 "<0x0A>",
                                                 "<unk>",
                                                 "\xE2\x96\x81",
                                                 "\xE2\x96\x81\xE2\x96\x81",
                                                 "\xC3\xA9",
                                                 "e\xCC\x81",
                                                 "\xD0\xB6",
                                                 "\xE4\xB8\xAD",
                                                 "\xD8\xB9",
                                                 "\xF0\x9F\x98\x80",
                                                 "\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x9A\x80",
                                                 "\xC2\xA0",
                                                 "\xE3\x80\x80",
                                                 "\xEF\xBB\xBF",
                                                 "\x01",
                                                 "\x7F",
                                                 "\xF4\x8F\xBF\xBF"};
  std::string text;
  for (uint32_t i = random() % 40; i > 0; --i) {
    if (random() % 8 == 0) {
      AppendUtf8(0x80 + random() % 0x2000, &text);
    } else {
      text += parts[random() % parts.size()];
    }
  }
  return text;
}

void ExpectTheSame(const Both& both, uint32_t seed) {
  std::mt19937 random(seed);
  int encoded = 0;
  for (int i = 0; i < 3'000; ++i) {
    const std::string text = RandomText(random);
    const absl::StatusOr<Ids> cached = both.cached->Encode(text), whole = both.whole->Encode(text);
    ASSERT_EQ(cached.status(), whole.status()) << text;
    if (!whole.ok()) continue;
    ASSERT_EQ(*cached, *whole) << text;
    ++encoded;
  }
  EXPECT_GT(encoded, 100);
}

TEST(ChunksTest, ByteLevelBpe) { ExpectTheSame(BpeOf("small_bpe/tokenizer.json"), 1); }
TEST(ChunksTest, BpeOfGemmasKind) { ExpectTheSame(BpeOf("small_spaces_bpe.json"), 2); }
TEST(ChunksTest, SentencePiece) { ExpectTheSame(SentencePieceOf(/*add_dummy_prefix=*/false), 3); }
TEST(ChunksTest, SentencePieceWithASpaceBeforeTheText) { ExpectTheSame(SentencePieceOf(/*add_dummy_prefix=*/true), 4); }

TEST(ChunksTest, ManyThreadsGetTheSame) {
  const Both both = BpeOf("small_spaces_bpe.json");
  std::vector<std::jthread> threads;
  for (uint32_t seed = 10; seed < 14; ++seed) threads.emplace_back([&both, seed] { ExpectTheSame(both, seed); });
}

TEST(PieceCutsTest, CutsWhereNoTokenReachesOver) {
  PieceCuts cuts;
  for (const char* token : {"a", "b", "ab",
                            "\xE2\x96\x81"
                            "a",
                            "\xC3\xA9z"})
    cuts.Add(token);
  const auto parts = [&](std::string_view text) {
    std::vector<std::string> found;
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = cuts.NextCut(text, begin);
      found.emplace_back(text.substr(begin, end - begin));
      begin = end;
    }
    return found;
  };
  EXPECT_EQ(parts("abba ab"), (std::vector<std::string>{"ab", "b", "a", " ab"}));
  EXPECT_EQ(parts("\xC3\xA9z\xC3\xA9"), (std::vector<std::string>{"\xC3\xA9z", "\xC3\xA9"}));
}

}  // namespace
}  // namespace ridgeline
