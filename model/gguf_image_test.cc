// SPDX-License-Identifier: Apache-2.0
#include "model/gguf_image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "method/every_spec.h"
#include "model/blueprint/gemma3.h"

namespace ridgeline {
namespace {

using testing::AllOf;
using testing::HasSubstr;

QuantizerSpec Spec(const std::string& estimator, Format format, Scheme scheme, int64_t block) {
  QuantizerSpec spec;
  spec.estimator = estimator;
  spec.format = format;
  spec.scheme = scheme;
  spec.block = block;
  spec.scale_precision = ScalePrecision::kFloat16;
  return spec;
}

struct Case {
  Format format;
  Scheme scheme;
  int64_t block;
  Dtype dtype;
  float step;
};

TEST(GgufImageTest, OfTheTypesThatHoldTheLevelsTheOneWithFewestBitsIsTaken) {
  const Case cases[] = {{Format::kInt1, Scheme::kLinear, 128, Dtype::kQ1_0, 1},
                        {Format::kInt1, Scheme::kLinear, 64, Dtype::kQ2_0, 1},
                        {Format::kInt1, Scheme::kLinear, 32, Dtype::kQ4_0, 1},
                        {Format::kInt1, Scheme::kAffine, 128, Dtype::kQ4_1, 1},
                        {Format::kTernary, Scheme::kLinear, 256, Dtype::kTQ1_0, 1},
                        {Format::kTernary, Scheme::kLinear, 128, Dtype::kQ2_0, 1},
                        {Format::kInt2, Scheme::kLinear, 128, Dtype::kQ4_0, 0.5f},
                        {Format::kInt3, Scheme::kLinear, 128, Dtype::kQ4_0, 0.5f},
                        {Format::kInt4, Scheme::kLinear, 128, Dtype::kQ5_0, 0.5f},
                        {Format::kInt4, Scheme::kAffine, 32, Dtype::kQ4_1, 1},
                        {Format::kInt5, Scheme::kAffine, 32, Dtype::kQ5_1, 1},
                        {Format::kInt7, Scheme::kLinear, 32, Dtype::kQ8_0, 0.5f},
                        {Format::kFp4, Scheme::kLinear, 32, Dtype::kQ5_0, 0.5f},
                        {Format::kMxFp4, Scheme::kLinear, 32, Dtype::kMXFP4, 0.5f}};
  for (const Case& a : cases) {
    SCOPED_TRACE(std::string(FormatName(a.format)) + " " + std::to_string(a.block));
    const auto image = GgufImageOf(Spec("ste", a.format, a.scheme, a.block), 512);
    ASSERT_TRUE(image.ok()) << image.status();
    EXPECT_EQ(DtypeName(image->dtype), DtypeName(a.dtype));
    EXPECT_EQ(image->step, a.step);
  }
}

TEST(GgufImageTest, CodesInTwosComplementNeedNoHalves) {
  EXPECT_EQ(GgufImageOf(Spec("torchao", Format::kInt4, Scheme::kLinear, 32), 512)->dtype, Dtype::kQ4_0);
  EXPECT_EQ(GgufImageOf(Spec("torchao", Format::kInt8, Scheme::kLinear, 32), 512)->dtype, Dtype::kQ8_0);
}

TEST(GgufImageTest, AnEmbeddingOfAnyFormatHasAnImage) {
  const std::pair<Format, Dtype> cases[] = {{Format::kInt2, Dtype::kQ4_0}, {Format::kInt3, Dtype::kQ4_0},
                                            {Format::kInt4, Dtype::kQ4_0}, {Format::kInt5, Dtype::kQ5_0},
                                            {Format::kInt6, Dtype::kQ8_0}, {Format::kInt7, Dtype::kQ8_0},
                                            {Format::kInt8, Dtype::kQ8_0}};
  for (const auto& [format, dtype] : cases) {
    const auto image = GgufImageOf(QuantizerOf(EmbeddingFormat{format, 32}), 640);
    ASSERT_TRUE(image.ok()) << image.status();
    EXPECT_EQ(DtypeName(image->dtype), DtypeName(dtype)) << FormatName(format);
    EXPECT_EQ(std::abs(image->step), 1) << FormatName(format);
  }
  EXPECT_EQ(GgufImageOf(QuantizerOf(EmbeddingFormat{Format::kInt2, 64}), 640)->dtype, Dtype::kQ2_0);
}

TEST(GgufImageTest, PrunedOnesNeedATypeWithAZero) {
  QuantizerSpec spec = Spec("ste", Format::kInt1, Scheme::kLinear, 128);
  spec.sparsity = {2, 4};
  EXPECT_EQ(GgufImageOf(spec, 512)->dtype, Dtype::kQ2_0);
  spec.block = 256;
  EXPECT_EQ(GgufImageOf(spec, 512)->dtype, Dtype::kTQ1_0);
}

TEST(GgufImageTest, RowsDecideAboutTheType) {
  EXPECT_EQ(GgufImageOf(Spec("ste", Format::kTernary, Scheme::kLinear, 256), 640)->dtype, Dtype::kQ2_0);
  EXPECT_EQ(GgufImageOf(Spec("ste", Format::kTernary, Scheme::kLinear, 1024), 512)->dtype, Dtype::kTQ1_0);
  QuantizerSpec row = Spec("ste", Format::kTernary, Scheme::kLinear, 8);
  row.granularity = Granularity::kRow;
  EXPECT_EQ(GgufImageOf(row, 512)->dtype, Dtype::kTQ1_0);
}

TEST(GgufImageTest, WhyThereIsNoneIsSaidWithWhatToDo) {
  const auto refusal = [](const QuantizerSpec& spec, int64_t features) {
    const absl::Status status = GgufImageOf(spec, features).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  QuantizerSpec rotated = Spec("ste", Format::kInt4, Scheme::kLinear, 128);
  rotated.hadamard = true;
  EXPECT_THAT(refusal(rotated, 512), AllOf(HasSubstr("rotated"), HasSubstr("quant.hadamard: false")));
  EXPECT_THAT(refusal(Spec("ste", Format::kInt8, Scheme::kLinear, 128), 512),
              AllOf(HasSubstr("-255 to 255"), HasSubstr("int7")));
  EXPECT_THAT(refusal(Spec("ste", Format::kInt6, Scheme::kAffine, 128), 512),
              AllOf(HasSubstr("with an offset"), HasSubstr("int5 affine")));
  EXPECT_THAT(refusal(Spec("ste", Format::kInt4, Scheme::kAffine, 16), 512), HasSubstr("take a block of 32"));
  EXPECT_THAT(refusal(Spec("ste", Format::kInt4, Scheme::kAffine, 128), 80), HasSubstr("rows of 80"));
  EXPECT_THAT(refusal(Spec("ste", Format::kFp8E4M3, Scheme::kLinear, 128), 512), HasSubstr("fp6_e2m3"));
  EXPECT_THAT(refusal(Spec("ste", Format::kNvFp4, Scheme::kLinear, 16), 512), HasSubstr("mxfp4"));
  EXPECT_THAT(refusal(Spec("ste", Format::kNone, Scheme::kLinear, 16), 512), HasSubstr("no codes"));
}

// Nothing in the table of methods is left without a decision, and remedies name quantizers that do have an image.
TEST(GgufImageTest, EveryQuantizerHasAnImageOrARemedy) {
  int with = 0, without = 0;
  for (const QuantizerSpec& spec :
       EverySpec({.estimators = [](const EstimatorTraits& row) { return row.is_defined_for(Side::kWeight); },
       .rotations = {{}, {true, true}},
       .sparsities = {{}, {2, 4}}})) {
    const auto image = GgufImageOf(spec, 512);
    (image.ok() ? with : without) += 1;
    if (!image.ok()) {
      EXPECT_THAT(std::string(image.status().message()), AllOf(HasSubstr("no exact image"), HasSubstr("; ")))
          << DescribeSpec(spec);
    }
  }
  EXPECT_GT(with, 100);
  EXPECT_GT(without, 100);
}

TEST(GgufImageTest, TheFirstLayerWithoutAnImageIsNamed) {
  const ParameterList network = ParametersOf(*Gemma3Shape("gemma3-270m"));
  Quantizers quantizers;
  quantizers.weight = Spec("ste", Format::kInt4, Scheme::kAffine, 32);
  EXPECT_EQ(CheckGgufImages(network, quantizers), absl::OkStatus());
  quantizers.weight.block = 16;
  EXPECT_THAT(std::string(CheckGgufImages(network, quantizers).message()),
              HasSubstr("model.layers.0.self_attn.q_proj.weight: int4 affine of ste"));
}

}  // namespace
}  // namespace ridgeline
