// SPDX-License-Identifier: Apache-2.0
#include "model/weight_tensor.h"

#include <gtest/gtest.h>

#include "quant/autograd/torch_pch.h"
#include "weights/decode.h"

namespace ridgeline {
namespace {

// Values (7, 1024), which end inside a slice of the parallel loop, stored as `dtype` in `bytes`.
TensorView Stored(Dtype dtype, const at::Tensor& values, std::string* bytes) {
  const std::span<const float> elements(values.const_data_ptr<float>(), static_cast<size_t>(values.numel()));
  EXPECT_TRUE(EncodeFromFloat(dtype, elements, bytes).ok());
  return {"w", dtype, values.sizes().vec(), *bytes};
}

at::Tensor DecodedInOneSlice(const TensorView& view) {
  at::Tensor decoded = at::empty(view.shape, at::kFloat);
  const std::span<float> out(decoded.mutable_data_ptr<float>(), static_cast<size_t>(decoded.numel()));
  EXPECT_TRUE(DecodeToFloat(view, 0, out).ok());
  return decoded;
}

TEST(WeightTensorTest, ParallelDecodingGivesTheSameAsOneSlice) {
  const at::Tensor values = at::randn({7, 1024});
  for (Dtype dtype : {Dtype::kF32, Dtype::kF16, Dtype::kBF16, Dtype::kQ8_0, Dtype::kQ4_0, Dtype::kQ5_1}) {
    std::string bytes;
    const TensorView view = Stored(dtype, values, &bytes);
    const at::Tensor expected = DecodedInOneSlice(view);
    EXPECT_TRUE(at::equal(ToTensor(view, at::kFloat).value(), expected)) << DtypeName(dtype);
    EXPECT_TRUE(at::equal(ToTensor(view, at::kBFloat16).value(), expected.to(at::kBFloat16))) << DtypeName(dtype);
  }
}

TEST(WeightTensorTest, TheStoredTypeIsNotCopiedIfItsAddressSuits) {
  alignas(4) char storage[4 * 6 + 1] = {};
  const TensorView suits{"w", Dtype::kF32, {2, 3}, {storage, 24}}, odd{"w", Dtype::kF32, {2, 3}, {storage + 1, 24}};
  EXPECT_EQ(ToTensor(suits, at::kFloat)->const_data_ptr(), storage);
  EXPECT_NE(ToTensor(odd, at::kFloat)->const_data_ptr(), storage + 1);
  EXPECT_NE(CopyTensor(suits)->const_data_ptr(), storage);
}

TEST(WeightTensorTest, OtherTypesAreRefused) {
  const TensorView plain{"w", Dtype::kF32, {1}, std::string_view("\0\0\0\0", 4)};
  EXPECT_EQ(ToTensor(plain, at::kLong).status().code(), absl::StatusCode::kInvalidArgument);
  const std::string block(34, '\0');
  EXPECT_EQ(CopyTensor({"w", Dtype::kQ8_0, {32}, block}).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace ridgeline
