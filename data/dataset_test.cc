// SPDX-License-Identifier: Apache-2.0
// Preparing and opening datasets, and what happens with files that lie.
#include "data/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "common/file.h"
#include "common/sha256.h"
#include "data/dataset_format.h"
#include "nlohmann/json.hpp"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::string MessageOf(const absl::Status& status) { return std::string(status.message()); }

class DatasetTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("ridgeline_dataset_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  void Write(const std::string& name, const std::string& content) {
    std::ofstream(folder_ / name, std::ios::binary) << content;
  }
  std::string Read(const std::string& name) { return ReadFile(Path(name)).value(); }

  absl::StatusOr<DatasetInfo> Prepare(const std::string& text) {
    Write("text.txt", text);
    PrepareOptions options;
    options.texts = {Path("text.txt")};
    options.out_dir = Path("data");
    return PrepareDataset(options);
  }
  void PrepareGood() { ASSERT_TRUE(Prepare("hello world, hello moon").ok()); }
  absl::Status OpenStatus() { return Dataset::Open(Path("data")).status(); }
  size_t EntriesInFolder() { return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), {})); }

  // Changes one key of dataset.json (a JSON pointer).
  void Patch(const std::string& pointer, const nlohmann::json& value) {
    auto json = nlohmann::json::parse(Read("data/dataset.json"));
    json[nlohmann::json::json_pointer(pointer)] = value;
    Write("data/dataset.json", json.dump());
  }
  fs::path folder_;
};

TEST_F(DatasetTest, PreparedTextComesBackInOrderSplitByPosition) {
  std::string text = "0123456789abcdefghij\xC3\xA9\xE2\x82\xAC";  // 22 characters.
  DatasetInfo info = Prepare(text).value();
  EXPECT_EQ(info.name, "text");
  EXPECT_EQ(info.train_tokens, 19);
  EXPECT_EQ(info.validation_tokens, 3);
  EXPECT_EQ(info.text_sha256, Sha256Hex(text));
  auto dataset = Dataset::Open(Path("data"), /*verify_hashes=*/true).value();
  std::vector<uint32_t> ids(dataset->train().begin(), dataset->train().end());
  ids.insert(ids.end(), dataset->validation().begin(), dataset->validation().end());
  EXPECT_EQ(dataset->tokenizer().Decode(ids).value(), text);
  EXPECT_EQ(dataset->info().vocab_size, 22);
  EXPECT_EQ(dataset->info().train_sha256, info.train_sha256);
  EXPECT_EQ(dataset->info().tokenizer_kind, "char");
  EXPECT_DOUBLE_EQ(dataset->info().train_fraction, 0.9);
}

TEST_F(DatasetTest, AByteOrderMarkBeforeTheTextIsLeftOut) {
  const DatasetInfo plain = Prepare("hello world, hello moon").value();
  EXPECT_FALSE(plain.dropped_byte_order_mark);
  const DatasetInfo marked = Prepare("\xEF\xBB\xBFhello world, hello moon").value();
  EXPECT_TRUE(marked.dropped_byte_order_mark);
  EXPECT_EQ(marked.train_sha256, plain.train_sha256);
  EXPECT_EQ(marked.vocab_size, plain.vocab_size);
}

TEST_F(DatasetTest, WhatIsNoTextIsToldApart) {
  EXPECT_THAT(MessageOf(Prepare("version https://git-lfs.github.com/spec/v1\noid sha256:aa\n").status()),
              HasSubstr("text.txt: this is a Git LFS pointer"));
  EXPECT_THAT(MessageOf(Prepare("\x1F\x8B\x08").status()), HasSubstr("gzip"));
  EXPECT_THAT(MessageOf(Prepare(std::string("\xFF\xFEh\0", 4)).status()), HasSubstr("UTF-16"));
}

TEST_F(DatasetTest, TheTokenizersHashIsKeptAndHeldTo) {
  PrepareGood();
  const auto json = nlohmann::json::parse(Read("data/dataset.json"));
  EXPECT_EQ(json["tokenizer_sha256"], Dataset::Open(Path("data")).value()->info().tokenizer_sha256);
  Patch("/tokenizer_sha256", std::string(64, 'a'));
  EXPECT_THAT(MessageOf(OpenStatus()), HasSubstr("'tokenizer_sha256'"));
}

TEST_F(DatasetTest, ADatasetFromBeforeTheHashOpens) {
  PrepareGood();
  auto json = nlohmann::json::parse(Read("data/dataset.json"));
  const std::string hash = json["tokenizer_sha256"];
  json.erase("tokenizer_sha256");
  Write("data/dataset.json", json.dump());
  EXPECT_EQ(Dataset::Open(Path("data")).value()->info().tokenizer_sha256, hash);
}

TEST_F(DatasetTest, PreparingTwiceGivesTheSameBytes) {
  PrepareGood();
  std::string first = Read("data/dataset.json") + Read("data/train.tokens");
  PrepareGood();
  EXPECT_EQ(Read("data/dataset.json") + Read("data/train.tokens"), first);
  EXPECT_EQ(EntriesInFolder(), 2u) << "a temporary folder was left behind";
}

TEST_F(DatasetTest, AnOpenDatasetOutlivesItsReplacement) {
  PrepareGood();
  auto old = Dataset::Open(Path("data")).value();
  ASSERT_TRUE(Prepare(std::string(500, 'x') + "yz").ok());
  EXPECT_EQ(old->tokenizer().Decode({old->train().begin(), old->train().end()}).value(), "hello world, hello m");
  EXPECT_EQ(Dataset::Open(Path("data")).value()->info().vocab_size, 3);
}

TEST_F(DatasetTest, TextThatCannotBeADatasetIsRefused) {
  EXPECT_THAT(MessageOf(Prepare("").status()), HasSubstr("empty"));
  EXPECT_THAT(MessageOf(Prepare("abc").status()), HasSubstr("3 tokens split into 2"));
  EXPECT_THAT(MessageOf(Prepare("0123456789\xFF").status()), HasSubstr("offset 10"));
  EXPECT_FALSE(fs::exists(Path("data")));
}

TEST_F(DatasetTest, OptionsOutOfRangeAreRefused) {
  Write("text.txt", "hello world, hello moon");
  PrepareOptions good{.texts = {Path("text.txt")}, .out_dir = Path("data")};
  for (double fraction : {0.0, 1.0, -1.0, 7.0, std::nan("")}) {
    PrepareOptions options = good;
    options.train_fraction = fraction;
    EXPECT_EQ(PrepareDataset(options).status().code(), absl::StatusCode::kInvalidArgument) << fraction;
  }
  for (const char* out_dir : {"", "/"}) {
    PrepareOptions options = good;
    options.out_dir = out_dir;
    EXPECT_EQ(PrepareDataset(options).status().code(), absl::StatusCode::kInvalidArgument) << out_dir;
  }
  for (const char* name : {"../up", "a\nb", "\xFF"}) {
    PrepareOptions options = good;
    options.name = name;
    EXPECT_EQ(PrepareDataset(options).status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
  PrepareOptions absent = good;
  absent.texts = {Path("absent")};
  EXPECT_EQ(PrepareDataset(absent).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(DatasetTest, AFolderWithOtherFilesIsNeverReplaced) {
  fs::create_directories(Path("data"));
  Write("data/thesis.tex", "years of work");
  absl::Status status = Prepare("hello world, hello moon").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(MessageOf(status), HasSubstr("thesis.tex"));
  EXPECT_EQ(Read("data/thesis.tex"), "years of work");
}

TEST_F(DatasetTest, AFailedWriteKeepsTheOldDatasetAndLeavesNothingBehind) {
  PrepareGood();
  std::string before = Read("data/dataset.json");
  Write("text.txt", std::string(100'000, 'x') + "yz");
  PrepareOptions options{.texts = {Path("text.txt")}, .out_dir = Path("data")};
  // A limit on file sizes fails the write as a full disk does: after some bytes.
  auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  rlimit small{.rlim_cur = 65536, .rlim_max = old_limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  absl::Status status = PrepareDataset(options).status();
  ::setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_THAT(MessageOf(status), HasSubstr("train.tokens"));
  EXPECT_EQ(Read("data/dataset.json"), before);
  EXPECT_TRUE(Dataset::Open(Path("data"), true).ok());
  EXPECT_EQ(EntriesInFolder(), 2u);
}

TEST_F(DatasetTest, AMissingDatasetSaysHowToMakeOne) {
  absl::Status status = OpenStatus();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(MessageOf(status), HasSubstr("ridgeline data prepare"));
}

TEST_F(DatasetTest, EveryTruncationOfATokenFileIsDataLoss) {
  PrepareGood();
  std::string bytes = Read("data/train.tokens");
  for (size_t size = 0; size < bytes.size(); ++size) {
    Write("data/train.tokens", bytes.substr(0, size));
    absl::Status status = OpenStatus();
    ASSERT_EQ(status.code(), absl::StatusCode::kDataLoss) << size;
    ASSERT_THAT(MessageOf(status), HasSubstr("train.tokens"));
  }
  Write("data/train.tokens", bytes + '\0');
  EXPECT_EQ(OpenStatus().code(), absl::StatusCode::kDataLoss);
  Write("data/train.tokens", bytes);
  EXPECT_TRUE(OpenStatus().ok());
}

TEST_F(DatasetTest, LyingHeadersAndIdsOutsideTheVocabularyAreDataLoss) {
  PrepareGood();
  std::string good = Read("data/validation.tokens");
  for (size_t place : {0u, 8u, 12u, 16u, 23u, 24u, 31u, 64u + 1u}) {
    std::string bytes = good;
    bytes[place] = static_cast<char>(bytes[place] ^ 0x40);
    Write("data/validation.tokens", bytes);
    EXPECT_EQ(OpenStatus().code(), absl::StatusCode::kDataLoss) << "byte " << place;
  }
}

TEST_F(DatasetTest, ChangedIdsWithinTheVocabularyAreFoundByHash) {
  PrepareGood();
  std::string bytes = Read("data/train.tokens");
  bytes[64] ^= 1;
  Write("data/train.tokens", bytes);
  EXPECT_TRUE(OpenStatus().ok());
  EXPECT_EQ(Dataset::Open(Path("data"), true).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(DatasetTest, WrongManifestsAreDataLossThatNamesTheKey) {
  const std::pair<const char*, nlohmann::json> patches[] = {
      {"/format", "other"},    {"/version", 2},          {"/name", "../up"},      {"/name", 7},
      {"/vocab_size", 3},      {"/vocab_size", -1},      {"/train", "lots"},      {"/train_fraction", 1.5},
      {"/train/tokens", 1e30}, {"/train/tokens", -4},    {"/train/sha256", "ab"}, {"/text_sha256", nullptr},
      {"/tokenizer", nullptr}, {"/validation/tokens", 0}};
  for (const auto& [pointer, value] : patches) {
    PrepareGood();
    Patch(pointer, value);
    absl::Status status = OpenStatus();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << pointer;
    std::string key = std::string(pointer).substr(std::string(pointer).rfind('/') + 1);
    EXPECT_THAT(MessageOf(status), HasSubstr(std::string(value == "../up" ? "name" : key)));
  }
}

TEST_F(DatasetTest, LinksAndPipesInsteadOfTokenFilesAreRefused) {
  PrepareGood();
  fs::rename(Path("data/train.tokens"), Path("elsewhere"));
  fs::create_symlink(Path("elsewhere"), Path("data/train.tokens"));
  EXPECT_THAT(MessageOf(OpenStatus()), HasSubstr("symbolic link"));
  fs::remove(Path("data/train.tokens"));
  ASSERT_EQ(::mkfifo(Path("data/train.tokens").c_str(), 0600), 0);
  EXPECT_THAT(MessageOf(OpenStatus()), HasSubstr("not a regular file"));
}

}  // namespace
}  // namespace ridgeline
