// SPDX-License-Identifier: Apache-2.0
// Training refuses ids that another tokenizer made, also where every one of them is in range.
#include "worker/train/dataset_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "common/file.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kVocabulary[] =
    R"({"pre_tokenizer":{"type":"ByteLevel"},"model":{"merges":[],"vocab":{"a":0,"b":1,"c":2}}})";
constexpr char kOtherOrder[] = R"({"pre_tokenizer":{"type":"ByteLevel"},"model":{"merges":[],"vocab":{"b":0,"a":1}}})";

class DatasetTokenizerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("ridgeline_dataset_tokenizer_" + std::to_string(::getpid()));
    fs::create_directories(folder_ / "model");
    recipe_.mutable_model()->set_path((folder_ / "model").string());
    recipe_.mutable_dataset()->set_path((folder_ / "set").string());
  }
  void TearDown() override { fs::remove_all(folder_); }

  void Write(const std::string& name, const std::string& content) const {
    ASSERT_TRUE(WriteFileAtomically((folder_ / name).string(), content).ok());
  }
  absl::Status Check(const std::string& tokenizer) {
    Write("text", "abbaabbaabba");
    const PrepareOptions options{
        .texts = {(folder_ / "text").string()}, .out_dir = (folder_ / "set").string(), .tokenizer = tokenizer};
    EXPECT_TRUE(PrepareDataset(options).ok());
    return CheckDatasetTokenizer(recipe_, *Dataset::Open((folder_ / "set").string()).value(), &untold_);
  }

  fs::path folder_;
  v1::Recipe recipe_;
  std::string untold_;
};

TEST_F(DatasetTokenizerTest, TheModelsOwnIsAccepted) {
  Write("model/tokenizer.json", kVocabulary);
  EXPECT_TRUE(Check((folder_ / "model").string()).ok());
  EXPECT_THAT(untold_, IsEmpty());
}

TEST_F(DatasetTokenizerTest, AnotherIsRefusedAlsoIfItsVocabularyIsSmaller) {
  Write("model/tokenizer.json", kVocabulary);
  Write("other.json", kOtherOrder);
  const absl::Status bpe = Check((folder_ / "other.json").string()), characters = Check("char");
  EXPECT_EQ(bpe.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(bpe.message()), HasSubstr("was prepared with another tokenizer (bpe, 2 tokens)"));
  EXPECT_THAT(std::string(characters.message()), HasSubstr("was prepared with another tokenizer (char, 2 tokens)"));
}

TEST_F(DatasetTokenizerTest, WhereTheModelHasNoneTheLogSaysSo) {
  EXPECT_TRUE(Check("char").ok());
  EXPECT_THAT(untold_, HasSubstr("cannot be told"));
}

}  // namespace
}  // namespace ridgeline
