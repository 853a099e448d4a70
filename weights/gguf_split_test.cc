// SPDX-License-Identifier: Apache-2.0
// A GGUF in parts is one model, or a refusal that names the part.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "common/file.h"
#include "weights/gguf.h"
#include "weights/gguf_writer.h"
#include "weights/stored_model.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class GgufSplitTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string test = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    folder_ = fs::temp_directory_path() / ("ridgeline_" + test + std::to_string(::getpid()));
    fs::remove_all(folder_);
    WritePart(1, "model-00001-of-00003.gguf", "a");
    WritePart(2, "model-00002-of-00003.gguf", "b");
    WritePart(3, "model-00003-of-00003.gguf", "c");
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string At(const std::string& name) const { return (folder_ / name).string(); }

  // One tensor a part. The first carries the model's metadata, as gguf-split has it.
  void WritePart(uint32_t number, const std::string& name, const std::string& tensor, uint32_t count = 3,
                 int32_t tensors = 3) const {
    GgufMetadata metadata;
    if (number == 1) metadata.SetString("general.architecture", "gemma3");
    metadata.SetUint32("split.no", number - 1);
    metadata.SetUint32("split.count", count);
    metadata.SetInt32("split.tensors.count", tensors);
    auto writer = GgufWriter::Create(At(name), metadata, {{tensor, Dtype::kF32, {2}}});
    ASSERT_TRUE((*writer)->Append(tensor, std::string(8, static_cast<char>('0' + number))).ok());
    ASSERT_TRUE((*writer)->Finish().ok());
  }

  std::string Refusal(const std::string& name, absl::StatusCode code) const {
    const absl::Status status = OpenGguf(At(name)).status();
    EXPECT_EQ(status.code(), code) << status;
    return std::string(status.message());
  }

  fs::path folder_;
};

TEST_F(GgufSplitTest, AnyPartOpensTheWholeModel) {
  for (const char* name : {"model-00001-of-00003.gguf", "model-00002-of-00003.gguf", "model-00003-of-00003.gguf"}) {
    const auto file = OpenGguf(At(name));
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_EQ((*file)->tensors().size(), 3u);
    EXPECT_EQ((*file)->Find("b")->bytes, "22222222");
    EXPECT_EQ((*file)->FindString("general.architecture"), "gemma3");
    EXPECT_EQ(GgufPartsOf(At(name)).value().size(), 3u);
    EXPECT_FALSE((*file)->values().contains("split.count")) << "a copy of the metadata would call itself a part";
  }
}

TEST_F(GgufSplitTest, AFolderWithThePartsHoldsOneModel) {
  EXPECT_EQ(OnlyGgufIn(folder_.string()).value(), At("model-00001-of-00003.gguf"));
  EXPECT_EQ(OpenStoredModel(folder_.string()).value().parameters, 6);
  fs::copy(At("model-00001-of-00003.gguf"), At("other.gguf"));
  EXPECT_EQ(OnlyGgufIn(folder_.string()).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(GgufSplitTest, AMissingPartIsNamed) {
  fs::remove(At("model-00002-of-00003.gguf"));
  EXPECT_THAT(Refusal("model-00001-of-00003.gguf", absl::StatusCode::kDataLoss),
              HasSubstr("part 1 of 3 of a model, and model-00002-of-00003.gguf is not beside it"));
  fs::remove(At("model-00001-of-00003.gguf"));
  EXPECT_THAT(Refusal("model-00003-of-00003.gguf", absl::StatusCode::kDataLoss),
              HasSubstr("model-00001-of-00003.gguf"));
}

TEST_F(GgufSplitTest, APartUnderAnotherNameIsRefused) {
  fs::rename(At("model-00001-of-00003.gguf"), At("model.gguf"));
  EXPECT_THAT(Refusal("model.gguf", absl::StatusCode::kDataLoss), HasSubstr("has to end in -00001-of-00003.gguf"));
}

TEST_F(GgufSplitTest, PartsThatDoNotBelongTogetherAreRefused) {
  WritePart(2, "model-00003-of-00003.gguf", "c");
  EXPECT_THAT(Refusal("model-00001-of-00003.gguf", absl::StatusCode::kDataLoss), HasSubstr("part 2 of 3, not 3 of 3"));
  WritePart(3, "model-00003-of-00003.gguf", "c", 4);
  EXPECT_THAT(Refusal("model-00001-of-00003.gguf", absl::StatusCode::kDataLoss), HasSubstr("part 3 of 4, not 3 of 3"));
  WritePart(3, "model-00003-of-00003.gguf", "a");
  EXPECT_THAT(Refusal("model-00001-of-00003.gguf", absl::StatusCode::kDataLoss), HasSubstr("'a' is in two parts"));
  WritePart(3, "model-00003-of-00003.gguf", "c");
  WritePart(1, "model-00001-of-00003.gguf", "a", 3, 4);
  EXPECT_THAT(Refusal("model-00001-of-00003.gguf", absl::StatusCode::kDataLoss),
              HasSubstr("hold 3 tensors, the first says 4"));
}

}  // namespace
}  // namespace ridgeline
