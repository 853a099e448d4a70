// SPDX-License-Identifier: Apache-2.0
// Against files that the formats' own Python packages wrote (testdata/make_golden.py), and ggml itself
// (testdata/make_ggml_golden.py).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "common/half.h"
#include "weights/decode.h"
#include "weights/gguf.h"

namespace ridgeline {
namespace {

using ::testing::ElementsAre;

std::unique_ptr<GgufFile> Golden(const std::string& name) {
  auto file = OpenGguf(RIDGELINE_TESTDATA "/" + name);
  EXPECT_TRUE(file.ok()) << file.status();
  return *std::move(file);
}

std::vector<float> Decoded(const TensorView& tensor) {
  std::vector<float> elements(static_cast<size_t>(*ElementsOfShape(tensor.shape)));
  EXPECT_TRUE(DecodeToFloat(tensor, 0, elements).ok());
  return elements;
}

std::string_view BytesOf(const std::vector<float>& elements) {
  return {reinterpret_cast<const char*>(elements.data()), elements.size() * sizeof(float)};
}

// Returns how many types there are.
size_t ExpectSameBits(const GgufFile& stored, const GgufFile& decoded) {
  for (const TensorView& tensor : stored.tensors()) {
    EXPECT_EQ(DtypeName(tensor.dtype), tensor.name);
    const TensorView* expected = decoded.Find(tensor.name);
    if (expected == nullptr) {
      ADD_FAILURE() << tensor.name;
      continue;
    }
    EXPECT_EQ(tensor.shape, expected->shape) << tensor.name;
    EXPECT_TRUE(BytesOf(Decoded(tensor)) == expected->bytes) << tensor.name;
  }
  return stored.tensors().size();
}

TEST(GoldenTest, EveryTypeDecodesToTheBitsThatGgmlDecodes) {
  size_t count = ExpectSameBits(*Golden("golden.gguf"), *Golden("golden_f32.gguf"));
  count += ExpectSameBits(*Golden("golden_blocks.gguf"), *Golden("golden_blocks_f32.gguf"));
  size_t held = 0;
  for (uint32_t id = 0; id < 100; ++id) held += DtypeFromGguf(id).has_value() ? 1 : 0;
  EXPECT_EQ(count, held);
}

TEST(GoldenTest, EncodingGivesTheBytesThatGgufEncodes) {
  const auto stored = Golden("golden.gguf"), decoded = Golden("golden_f32.gguf");
  const std::vector<float> input = Decoded(*decoded->Find("input"));
  for (Dtype dtype :
       {Dtype::kQ8_0, Dtype::kQ4_0, Dtype::kQ4_1, Dtype::kQ5_0, Dtype::kQ5_1, Dtype::kF16, Dtype::kBF16}) {
    std::string bytes;
    ASSERT_TRUE(EncodeFromFloat(dtype, input, &bytes).ok());
    EXPECT_TRUE(bytes == stored->Find(DtypeName(dtype))->bytes) << DtypeName(dtype);
  }
}

TEST(GoldenTest, MetadataOfEveryKindIsFoundAsItsKindOnly) {
  const auto file = Golden("golden.gguf");
  EXPECT_EQ(file->FindString("golden.text"), "a\u00e9\u6c34");
  EXPECT_EQ(file->metadata().at("golden.text"), "a\u00e9\u6c34");
  EXPECT_EQ(file->FindBool("golden.bool"), true);
  EXPECT_EQ(file->FindUint("golden.uint8"), 200u);
  EXPECT_EQ(file->FindUint("golden.uint16"), 60000u);
  EXPECT_EQ(file->FindUint("golden.uint32"), 4000000000u);
  EXPECT_EQ(file->FindUint("golden.uint64"), ~uint64_t{0});
  for (const char* negative : {"golden.int8", "golden.int16", "golden.int32", "golden.int64"})
    EXPECT_EQ(file->FindUint(negative), std::nullopt) << negative;
  EXPECT_EQ(file->FindFloat("golden.float32"), 0.15625);
  EXPECT_EQ(file->FindFloat("golden.float64"), 0.1);
  EXPECT_THAT(*file->FindStringArray("golden.texts"), ElementsAre("one", "", "three"));
  EXPECT_THAT(*file->FindIntArray("golden.ints"), ElementsAre(-1, 0, 7));
  EXPECT_THAT(*file->FindFloatArray("golden.floats"), ElementsAre(0.5f, -2.0f));
  EXPECT_EQ(file->FindString("golden.bool"), std::nullopt);
  EXPECT_EQ(file->FindUint("golden.bool"), std::nullopt);
  EXPECT_EQ(file->FindStringArray("golden.text"), std::nullopt);
  EXPECT_EQ(file->FindIntArray("golden.floats"), std::nullopt);
  EXPECT_EQ(file->FindString("absent"), std::nullopt);
}

TEST(GoldenTest, SafetensorsOfThePackageReadBack) {
  const auto file = OpenSafetensors(RIDGELINE_TESTDATA "/golden.safetensors").value();
  ASSERT_EQ(file->tensors().size(), 11u);
  EXPECT_EQ(file->metadata().at("made_by"), "safetensors");
  for (const char* name : {"float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8"}) {
    EXPECT_THAT(file->Find(name)->shape, ElementsAre(2, 3)) << name;
    EXPECT_THAT(Decoded(*file->Find(name)), ElementsAre(0, 1, 2, 3, 4, 5)) << name;
  }
  EXPECT_THAT(Decoded(*file->Find("bool")), ElementsAre(1, 0));
  EXPECT_THAT(Decoded(*file->Find("scalar")), ElementsAre(2.5f));
  EXPECT_TRUE(file->Find("scalar")->shape.empty());
  EXPECT_THAT(file->Find("empty")->shape, ElementsAre(0, 4));
}

TEST(DecodeTest, SlicesGiveWhatTheWholeGives) {
  const auto file = Golden("golden.gguf");
  for (const char* name : {"Q5_0", "Q6_K", "F16"}) {
    const TensorView& tensor = *file->Find(name);
    const std::vector<float> whole = Decoded(tensor);
    std::vector<float> slice(256);
    ASSERT_TRUE(DecodeToFloat(tensor, 512, slice).ok());
    EXPECT_EQ(std::memcmp(slice.data(), whole.data() + 512, slice.size() * sizeof(float)), 0) << name;
  }
}

TEST(DecodeTest, SlicesThatCutBlocksOrLeaveTheTensorAreRefused) {
  const auto file = Golden("golden.gguf");
  const TensorView& tensor = *file->Find("Q8_0");  // (2, 512)
  std::vector<float> slice(64);
  for (int64_t first : {int64_t{-32}, int64_t{16}, int64_t{992}, int64_t{1024}, INT64_MAX})
    EXPECT_EQ(DecodeToFloat(tensor, first, slice).code(), absl::StatusCode::kInvalidArgument) << first;
  EXPECT_EQ(DecodeToFloat(tensor, 0, std::span(slice).first(33)).code(), absl::StatusCode::kInvalidArgument);
}

TEST(EncodeTest, WhatABlockCannotHoldIsRefused) {
  std::string bytes;
  std::vector<float> elements(32, 1.0f);
  for (float bad : {NAN, INFINITY, -3e38f}) {
    elements[7] = bad;
    for (Dtype dtype : {Dtype::kQ8_0, Dtype::kQ4_0, Dtype::kQ5_1})
      EXPECT_EQ(EncodeFromFloat(dtype, elements, &bytes).code(), absl::StatusCode::kInvalidArgument) << bad;
  }
  elements[7] = 1.0f;
  EXPECT_EQ(EncodeFromFloat(Dtype::kQ4_0, std::span(elements).first(31), &bytes).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(EncodeFromFloat(Dtype::kQ6_K, elements, &bytes).code(), absl::StatusCode::kUnimplemented);
}

TEST(HalfTest, EveryHalfSurvivesTheWayThroughFloat) {
  for (uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    const bool signalling_nan = (bits & 0x7C00) == 0x7C00 && (bits & 0x3FF) != 0 && (bits & 0x200) == 0;
    const uint32_t expected = signalling_nan ? bits | 0x200 : bits;
    ASSERT_EQ(HalfFromFloat(FloatFromHalf(static_cast<uint16_t>(bits))), expected) << bits;
  }
}

TEST(HalfTest, RoundsToNearestEven) {
  EXPECT_EQ(HalfFromFloat(1.0f + 0x1p-11f), 0x3C00);  // Halfway: down to even
  EXPECT_EQ(HalfFromFloat(1.0f + 0x3p-11f), 0x3C02);  // Halfway: up to even
  EXPECT_EQ(HalfFromFloat(0x1p-25f), 0);              // Halfway to the smallest
  EXPECT_EQ(HalfFromFloat(0x1.8p-25f), 1);
  EXPECT_EQ(HalfFromFloat(65519.0f), 0x7BFF);
  EXPECT_EQ(HalfFromFloat(65520.0f), 0x7C00);
  EXPECT_EQ(Bfloat16FromFloat(std::bit_cast<float>(0x3F808000u)), 0x3F80);
  EXPECT_EQ(Bfloat16FromFloat(std::bit_cast<float>(0x3F818000u)), 0x3F82);
}

}  // namespace
}  // namespace ridgeline
