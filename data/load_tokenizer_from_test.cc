// SPDX-License-Identifier: Apache-2.0
#include "data/load_tokenizer_from.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "common/file.h"
#include "data/dataset.h"
#include "data/piece_spelling.h"
#include "data/same_tokenizer.h"
#include "data/sentencepiece_vocabulary.h"
#include "weights/gguf_writer.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const std::string kTestdata = RIDGELINE_TESTDATA;

// As llama.cpp's converter writes it: user-defined pieces with plain spaces, the unknown piece as control.
void WriteGgufOf(const SentencePieceVocabulary& vocabulary, const std::string& path) {
  std::vector<std::string> texts;
  std::vector<float> scores;
  std::vector<int32_t> types;
  for (const auto& piece : vocabulary.pieces) {
    std::string text = piece.text;
    if (piece.type == PieceType::kUserDefined) text = UnspellSpaces(text);
    texts.push_back(text);
    scores.push_back(piece.score);
    types.push_back(static_cast<int32_t>(piece.type == PieceType::kUnknown ? PieceType::kControl : piece.type));
  }
  GgufMetadata metadata;
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  metadata.SetString("tokenizer.ggml.model", "llama");
  metadata.SetStringArray("tokenizer.ggml.tokens", views);
  metadata.SetFloatArray("tokenizer.ggml.scores", scores);
  metadata.SetInt32Array("tokenizer.ggml.token_type", types);
  metadata.SetUint32("tokenizer.ggml.unknown_token_id", 0);
  metadata.SetUint32("tokenizer.ggml.bos_token_id", 1);
  metadata.SetUint32("tokenizer.ggml.eos_token_id", 2);
  metadata.SetBool("tokenizer.ggml.add_space_prefix", false);
  ASSERT_TRUE(GgufWriter::Create(path, metadata, {}).value()->Finish().ok());
}

class LoadTokenizerFromTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("ridgeline_tokenizers_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  void Copy(const std::string& from, const std::string& to) { fs::copy_file(kTestdata + "/" + from, folder_ / to); }
  void Write(const std::string& name, const std::string& content) {
    std::ofstream(folder_ / name, std::ios::binary) << content;
  }
  std::string KindIn(const std::string& path) { return LoadTokenizerFrom(path).value()->kind(); }
  absl::Status StatusOf(const std::string& path) { return LoadTokenizerFrom(path).status(); }
  fs::path folder_;
};

TEST_F(LoadTokenizerFromTest, AGgufVocabularyGivesTheIdsOfTheModelItCameFrom) {
  const std::string bytes = ReadFile(kTestdata + "/small.model").value();
  WriteGgufOf(ParseSentencePieceModel(bytes).value(), Path("model.gguf"));
  auto model = LoadTokenizerFrom(kTestdata + "/small.model").value();
  auto gguf = LoadTokenizerFrom(folder_.string()).value();
  EXPECT_TRUE(gguf->special_tokens().prompt_begins_with_bos);
  EXPECT_TRUE(AreSameTokenizer(*gguf, *model));
  for (const char* page : {"arabic", "chinese", "code", "emoji", "english", "whitespace"}) {
    const std::string text = ReadFile(kTestdata + "/pages/" + page + ".txt").value();
    EXPECT_EQ(EncodePrompt(*gguf, text).value(), EncodePrompt(*model, text).value()) << page;
  }
}

TEST_F(LoadTokenizerFromTest, OfAFolderTheFirstKnownFileIsTaken) {
  Copy("small_bpe/vocab.json", "vocab.json");
  EXPECT_EQ(StatusOf(folder_.string()).code(), absl::StatusCode::kNotFound);
  Copy("small_bpe/merges.txt", "merges.txt");
  EXPECT_EQ(KindIn(folder_.string()), "bpe");
  Copy("small.model", "tokenizer.model");
  EXPECT_EQ(KindIn(folder_.string()), "sentencepiece");
  EXPECT_EQ(KindIn(Path("vocab.json")), "bpe");
}

TEST_F(LoadTokenizerFromTest, TheConfigBesideSaysWhatBosAndEosAre) {
  Copy("small.model", "tokenizer.model");
  Write("tokenizer_config.json", R"({"bos_token": "<start_of_turn>", "eos_token": {"content": "<end_of_turn>"},
                                     "add_bos_token": false})");
  auto tokenizer = LoadTokenizerFrom(folder_.string()).value();
  EXPECT_FALSE(tokenizer->special_tokens().prompt_begins_with_bos);
  EXPECT_EQ(tokenizer->BytesOf(tokenizer->special_tokens().bos_id.value()), "<start_of_turn>");
  EXPECT_EQ(tokenizer->BytesOf(tokenizer->special_tokens().eos_id.value()), "<end_of_turn>");
  Write("tokenizer_config.json", R"({"bos_token": "<absent>"})");
  EXPECT_THAT(std::string(StatusOf(folder_.string()).message()), HasSubstr("tokenizer_config.json: 'bos_token'"));
}

TEST_F(LoadTokenizerFromTest, WhatIsNoTokenizerIsRefusedWithWhatIsOne) {
  EXPECT_THAT(std::string(StatusOf(Path("absent")).message()), HasSubstr("vocab.json with merges.txt"));
  Write("notes", "hello");
  EXPECT_THAT(std::string(StatusOf(Path("notes")).message()), HasSubstr("a GGUF file"));
  Write("a.gguf", "GGUF");
  EXPECT_EQ(StatusOf(Path("a.gguf")).code(), absl::StatusCode::kDataLoss);
  Write("b.gguf", "GGUF");
  EXPECT_THAT(std::string(StatusOf(folder_.string()).message()), HasSubstr("2 .gguf models"));
}

TEST_F(LoadTokenizerFromTest, AByteOrderMarkIsSkippedInEveryFile) {
  const std::string mark = "\xEF\xBB\xBF";
  const std::string json = ReadFile(kTestdata + "/small_bpe/tokenizer.json").value();
  Write("tokenizer.json", mark + json);
  Write("tokenizer_config.json", mark + R"({"eos_token": "<|endoftext|>"})");
  const auto plain = LoadTokenizerFrom(kTestdata + "/small_bpe/tokenizer.json").value();
  auto marked = LoadTokenizerFrom(folder_.string());
  ASSERT_TRUE(marked.ok()) << marked.status();
  EXPECT_TRUE(AreSameTokenizer(**marked, *plain));
  fs::remove(Path("tokenizer.json"));
  for (const char* name : {"vocab.json", "merges.txt"})
    Write(name, mark + ReadFile(kTestdata + "/small_bpe/" + name).value());
  marked = LoadTokenizerFrom(folder_.string());
  ASSERT_TRUE(marked.ok()) << marked.status();
  EXPECT_TRUE(AreSameTokenizer(**marked, *plain));
}

TEST_F(LoadTokenizerFromTest, AWrongKindOfFileIsToldApart) {
  const std::string pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 5\n";
  for (const char* name : {"tokenizer.model", "tokenizer.json", "model.gguf"}) {
    Write(name, pointer);
    EXPECT_THAT(std::string(StatusOf(folder_.string()).message()), HasSubstr("a Git LFS pointer")) << name;
    fs::remove(Path(name));
  }
  Copy("small_bpe/vocab.json", "vocab.json");
  Write("merges.txt", pointer);
  EXPECT_THAT(std::string(StatusOf(folder_.string()).message()), HasSubstr("merges.txt: this is a Git LFS pointer"));
  Write("page", "<!DOCTYPE html><html>");
  EXPECT_THAT(std::string(StatusOf(Path("page")).message()), HasSubstr("an HTML page"));
}

TEST_F(LoadTokenizerFromTest, JsonThatSaysTwoThingsIsRefused) {
  Write("tokenizer.json", R"({"model": {}, "model": {"type": "BPE"}})");
  EXPECT_THAT(std::string(StatusOf(Path("tokenizer.json")).message()), HasSubstr("'model' repeats"));
  Write("tokenizer.json", std::string(2000, '[') + std::string(2000, ']'));
  EXPECT_EQ(StatusOf(Path("tokenizer.json")).code(), absl::StatusCode::kDataLoss);
}

// What a text's ids depend on makes another tokenizer, and nothing else does.
TEST_F(LoadTokenizerFromTest, TokenizersAreTheSameByWhatDecidesIds) {
  const auto load = [&](const std::string& json) {
    Write("tokenizer.json", json);
    return LoadTokenizerFrom(Path("tokenizer.json")).value();
  };
  const std::string head = R"({"pre_tokenizer":{"type":"ByteLevel"},)";
  const auto base = load(head + R"("model":{"vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}})");
  const auto same = load(head + R"("version":"2","model":{"merges":[["a","b"]],"vocab":{"ab":2,"b":1,"a":0}}})");
  EXPECT_TRUE(AreSameTokenizer(*base, *same));
  EXPECT_EQ(TokenizerHash(*base), TokenizerHash(*same));
  for (const char* other :
       {R"("model":{"vocab":{"a":1,"b":0,"ab":2},"merges":["a b"]}})",
        R"("model":{"vocab":{"a":0,"b":1,"ab":2},"merges":[]}})",
        R"("model":{"vocab":{"a":0,"b":1,"ab":2,"c":3},"merges":["a b"]}})",
        R"("added_tokens":[{"id":1,"content":"b"}],"model":{"vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}})"})
    EXPECT_FALSE(AreSameTokenizer(*base, *load(head + other))) << other;
  const auto sentencepiece = LoadTokenizerFrom(kTestdata + "/small.model").value();
  EXPECT_FALSE(AreSameTokenizer(*base, *sentencepiece));
  const absl::Status status = CheckSameTokenizer(*base, "out/book", *sentencepiece, "some/model");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("out/book was prepared with another tokenizer (bpe, 3 tokens)"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("data prepare --tokenizer some/model"));
}

TEST_F(LoadTokenizerFromTest, ADatasetKeepsItsTokenizerAndKnowsWhenItIsAnother) {
  for (const char* name : {"small.model", "small_bpe/tokenizer.json"}) {
    const PrepareOptions options{
        .texts = {kTestdata + "/pages/code.txt"}, .out_dir = Path("set"), .tokenizer = kTestdata + "/" + name};
    ASSERT_TRUE(PrepareDataset(options).ok());
    ASSERT_TRUE(PrepareDataset(options).ok()) << "a dataset with a tokenizer file is replaced as any other";
    auto dataset = Dataset::Open(Path("set"), /*verify_hashes=*/true).value();
    auto original = LoadTokenizerFrom(kTestdata + "/" + name).value();
    EXPECT_EQ(dataset->tokenizer().ToJson(), original->ToJson());
    EXPECT_EQ(KindIn(Path("set")), original->kind());
    const std::string file = Path("set") + "/" + TokenizerFileName(original->kind());
    std::ofstream(file, std::ios::app) << " ";
    EXPECT_EQ(Dataset::Open(Path("set")).status().code(), absl::StatusCode::kDataLoss);
    fs::remove(file);
    EXPECT_THAT(std::string(Dataset::Open(Path("set")).status().message()), HasSubstr("data prepare"));
    fs::remove_all(Path("set"));
  }
}

}  // namespace
}  // namespace ridgeline
