// SPDX-License-Identifier: Apache-2.0
// What the writers write reads back, in one file or in shards, and nothing half-written is ever seen.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "common/file.h"
#include "weights/gguf_writer.h"
#include "weights/safetensors_writer.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class WriterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string test = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    folder_ = fs::temp_directory_path() / ("ridgeline_" + test + std::to_string(::getpid()));
    fs::remove_all(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string At(const std::string& name) const { return (folder_ / name).string(); }
  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_)) names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }
  // Three tensors of 8, 0 and 12 bytes, and one of 4.
  static std::vector<TensorDeclaration> Declarations() {
    return {
        {"c", Dtype::kF64, {1}}, {"none", Dtype::kF32, {0, 7}}, {"a", Dtype::kF32, {3, 1}}, {"b", Dtype::kBF16, {2}}};
  }
  template <typename Writer>
  static absl::Status AppendAll(Writer* writer) {
    for (auto [name, bytes] :
         {std::pair("c", "cccccccc"), std::pair("a", "aaaa"), std::pair("a", "AAAAAAAA"), std::pair("b", "bbbb")})
      if (absl::Status status = writer->Append(name, bytes); !status.ok()) return status;
    return writer->Finish();
  }
  static void ExpectTensors(const WeightFile& file) {
    ASSERT_EQ(file.tensors().size(), 4u);
    EXPECT_EQ(file.Find("a")->bytes, "aaaaAAAAAAAA");
    EXPECT_THAT(file.Find("a")->shape, ElementsAre(3, 1));
    EXPECT_EQ(file.Find("b")->bytes, "bbbb");
    EXPECT_EQ(file.Find("b")->dtype, Dtype::kBF16);
    EXPECT_EQ(file.Find("c")->bytes, "cccccccc");
    EXPECT_THAT(file.Find("none")->shape, ElementsAre(0, 7));
  }
  void WriteSharded(uint64_t max_shard_bytes) {
    auto writer = SafetensorsWriter::Create(At("model.safetensors"), Declarations(), {{{"k", "v"}}, max_shard_bytes});
    ASSERT_TRUE(AppendAll(writer->get()).ok());
  }
  fs::path folder_;
};

TEST_F(WriterTest, SafetensorsReadBackFromFileAndFolder) {
  WriteSharded(0);
  EXPECT_THAT(Files(), ElementsAre("model.safetensors"));
  ExpectTensors(*OpenSafetensors(At("model.safetensors")).value());
  const auto file = OpenSafetensors(folder_.string()).value();
  ExpectTensors(*file);
  EXPECT_EQ(file->metadata().at("k"), "v");
}

TEST_F(WriterTest, ShardsReadBackThroughTheirIndex) {
  WriteSharded(12);
  EXPECT_THAT(Files(), ElementsAre("model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
                                   "model-00003-of-00003.safetensors", "model.safetensors.index.json"));
  ExpectTensors(*OpenSafetensors(folder_.string()).value());
  ExpectTensors(*OpenSafetensors(At("model.safetensors.index.json")).value());
  EXPECT_EQ(OpenSafetensors(At("model-00001-of-00003.safetensors")).value()->tensors().size(), 2u);
}

TEST_F(WriterTest, AnIndexThatDisagreesWithItsShardsIsRefused) {
  WriteSharded(12);
  const std::string index = ReadFile(At("model.safetensors.index.json")).value();
  auto expect_refusal = [&](const std::string& from, const std::string& to, const char* reason) {
    std::string changed = index;
    changed.replace(changed.find(from), from.size(), to);
    ASSERT_TRUE(WriteFileAtomically(At("model.safetensors.index.json"), changed).ok());
    const absl::Status status = OpenSafetensors(folder_.string()).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(status.message()), HasSubstr(reason));
  };
  expect_refusal("\"a\"", "\"renamed\"", "holds tensor 'a', which the index does not place there");
  expect_refusal("\"none\"", "\"z\": \"model-00001-of-00003.safetensors\", \"none\"", "tensor 'z' is not in");
  expect_refusal("\"model-00001", "\"../model-00001", "not the name of a file beside");
  expect_refusal("\"model-00001", "\"/etc/model-00001", "not the name of a file beside");
  expect_refusal("\"weight_map\"", "\"weights\"", "lacks a weight_map");
  ASSERT_TRUE(WriteFileAtomically(At("model.safetensors.index.json"), index).ok());
  fs::remove(At("model-00002-of-00003.safetensors"));
  EXPECT_EQ(OpenSafetensors(folder_.string()).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(WriterTest, AFolderWithNoneOrBothIsNotGuessedAt) {
  WriteSharded(12);
  WriteSharded(0);
  EXPECT_EQ(OpenSafetensors(folder_.string()).status().code(), absl::StatusCode::kInvalidArgument);
  fs::remove_all(folder_);
  fs::create_directories(folder_);
  EXPECT_EQ(OpenSafetensors(folder_.string()).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(WriterTest, BytesOutOfTurnOrTooManyOrTooFewAreRefused) {
  auto writer = SafetensorsWriter::Create(At("x.safetensors"), Declarations(), {}).value();
  EXPECT_EQ(writer->Append("a", "aaaa").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(writer->Append("c", "123456789").code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(writer->Append("c", "1234").ok());
  EXPECT_EQ(writer->Append("c", "12345").code(), absl::StatusCode::kFailedPrecondition);
  const absl::Status status = writer->Finish();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("'c' lacks 4 bytes"));
}

TEST_F(WriterTest, AnUnfinishedWriterLeavesTheOldFileAndNothingElse) {
  ASSERT_TRUE(WriteFileAtomically(At("x.safetensors"), "old").ok());
  ASSERT_TRUE(WriteFileAtomically(At("x.gguf"), "old").ok());
  {
    auto safetensors = SafetensorsWriter::Create(At("x.safetensors"), Declarations(), {}).value();
    auto gguf = GgufWriter::Create(At("x.gguf"), {}, Declarations()).value();
    ASSERT_TRUE(safetensors->Append("c", "12345678").ok());
    ASSERT_TRUE(gguf->Append("c", "12345678").ok());
    EXPECT_EQ(Files().size(), 4u);
  }
  EXPECT_THAT(Files(), ElementsAre("x.gguf", "x.safetensors"));
  EXPECT_EQ(ReadFile(At("x.gguf")).value(), "old");
}

TEST_F(WriterTest, WhatAFormatCannotHoldIsRefusedBeforeAnythingIsWritten) {
  const std::vector<TensorDeclaration> neither[] = {{{"", Dtype::kF32, {1}}},
                                                    {{"a\xE9", Dtype::kF32, {1}}},
                                                    {{"a", Dtype::kF32, {1}}, {"a", Dtype::kF32, {1}}},
                                                    {{"a", Dtype::kQ8_0, {2, 16}}},
                                                    {{"a", Dtype::kF32, {INT64_MAX, 3}}}};
  const auto in_safetensors = [&](std::vector<TensorDeclaration> tensors) {
    return SafetensorsWriter::Create(At("x.safetensors"), std::move(tensors), {}).status().code();
  };
  const auto in_gguf = [&](std::vector<TensorDeclaration> tensors) {
    return GgufWriter::Create(At("x.gguf"), {}, std::move(tensors)).status().code();
  };
  for (const auto& tensors : neither) {
    EXPECT_EQ(in_safetensors(tensors), absl::StatusCode::kInvalidArgument) << tensors[0].name;
    EXPECT_EQ(in_gguf(tensors), absl::StatusCode::kInvalidArgument) << tensors[0].name;
  }
  EXPECT_EQ(in_safetensors({{"a", Dtype::kQ8_0, {32}}}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(in_gguf({{"a", Dtype::kU8, {32}}}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(in_gguf({{"a", Dtype::kF32, {1, 1, 1, 1, 1}}}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(in_gguf({{std::string(64, 'a'), Dtype::kF32, {1}}}), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(fs::exists(folder_));
}

TEST_F(WriterTest, GgufReadsBackWithItsMetadata) {
  GgufMetadata metadata;
  metadata.SetString("text", "old");
  metadata.SetString("text", "new");
  metadata.SetUint32("u", 7);
  metadata.SetUint64("w", ~uint64_t{0});
  metadata.SetInt32("i", -1);
  metadata.SetFloat("f", 0.5f);
  metadata.SetBool("b", true);
  metadata.SetStringArray("texts", std::vector<std::string_view>{"x", ""});
  metadata.SetFloatArray("floats", std::vector<float>{1, 2});
  metadata.SetInt32Array("ints", std::vector<int32_t>{-1, 3});
  ASSERT_TRUE(AppendAll(GgufWriter::Create(At("x.gguf"), metadata, Declarations())->get()).ok());
  const auto file = OpenGguf(At("x.gguf")).value();
  ExpectTensors(*file);
  EXPECT_EQ(file->FindString("text"), "new");
  EXPECT_EQ(file->FindUint("u"), 7u);
  EXPECT_EQ(file->FindUint("w"), ~uint64_t{0});
  EXPECT_EQ(file->FindFloat("f"), 0.5);
  EXPECT_EQ(file->FindBool("b"), true);
  EXPECT_THAT(*file->FindStringArray("texts"), ElementsAre("x", ""));
  EXPECT_THAT(*file->FindFloatArray("floats"), ElementsAre(1, 2));
  EXPECT_THAT(*file->FindIntArray("ints"), ElementsAre(-1, 3));

  GgufMetadata copy;
  copy.CopyFrom(*file, "");
  EXPECT_EQ(copy.encoded(), metadata.encoded());
}

// What another program wrote comes through our reader and writer as it was.
TEST_F(WriterTest, AFileOfThePackageIsCopiedWithoutLoss) {
  const auto golden = OpenGguf(RIDGELINE_TESTDATA "/golden.gguf").value();
  GgufMetadata metadata;
  metadata.CopyFrom(*golden, "");
  std::vector<TensorDeclaration> declarations;
  for (const TensorView& tensor : golden->tensors()) declarations.push_back({tensor.name, tensor.dtype, tensor.shape});
  auto writer = GgufWriter::Create(At("copy.gguf"), metadata, declarations).value();
  for (const TensorView& tensor : golden->tensors()) ASSERT_TRUE(writer->Append(tensor.name, tensor.bytes).ok());
  ASSERT_TRUE(writer->Finish().ok());
  const auto copy = OpenGguf(At("copy.gguf")).value();
  ASSERT_EQ(copy->tensors().size(), golden->tensors().size());
  for (const TensorView& tensor : golden->tensors())
    EXPECT_EQ(copy->Find(tensor.name)->bytes, tensor.bytes) << tensor.name;
  ASSERT_EQ(copy->values().size(), golden->values().size());
  for (const auto& [key, value] : golden->values()) EXPECT_EQ(copy->values().at(key).bytes, value.bytes) << key;
}

}  // namespace
}  // namespace ridgeline
