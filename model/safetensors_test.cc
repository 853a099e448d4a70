// SPDX-License-Identifier: Apache-2.0
#include "model/safetensors.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

TEST(SafetensorsTest, EveryDtypeReadsBackToTheSameTensor) {
  SafetensorsFile file;
  file.metadata["step"] = "7";
  for (at::ScalarType type : {at::kFloat, at::kDouble, at::kBFloat16, at::kHalf, at::kLong, at::kInt, at::kShort,
                              at::kChar, at::kByte, at::kBool})
    file.tensors[c10::toString(type)] = at::rand({2, 3}).mul(100).to(type);
  file.tensors["empty"] = at::empty({0, 4});
  file.tensors["scalar"] = at::full({}, 2.5);
  std::string path = (std::filesystem::temp_directory_path() / "ridgeline_safetensors_test.safetensors").string();
  ASSERT_TRUE(WriteSafetensors(path, file).ok());
  SafetensorsFile back = ReadSafetensors(path).value();
  std::filesystem::remove(path);
  EXPECT_EQ(back.metadata, file.metadata);
  ASSERT_EQ(back.tensors.size(), file.tensors.size());
  for (const auto& [name, tensor] : file.tensors) EXPECT_TRUE(at::equal(back.tensors[name], tensor)) << name;
}

}  // namespace
}  // namespace ridgeline
