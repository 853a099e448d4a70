// SPDX-License-Identifier: Apache-2.0
#include "model/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

std::string FileOf(const std::string& header, const std::string& data) {
  uint64_t size = header.size();
  return std::string(reinterpret_cast<const char*>(&size), sizeof size) + header + data;
}

TEST(SafetensorsTest, EveryDtypeReadsBackToTheSameTensor) {
  SafetensorsFile file;
  file.metadata["step"] = "7";
  for (at::ScalarType type : {at::kFloat, at::kDouble, at::kBFloat16, at::kHalf, at::kLong})
    file.tensors[c10::toString(type)] = at::randn({2, 3}).mul(10).to(type);
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

TEST(SafetensorsTest, HostileFilesAreDataLossWithAReason) {
  const std::string good = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  ASSERT_TRUE(ParseSafetensors(FileOf(good, "abcd"), "f").ok());
  uint64_t huge = ~uint64_t{0};
  const std::vector<std::string> hostile = {
      "", "abc", std::string(reinterpret_cast<char*>(&huge), 8), FileOf("[]", ""), FileOf("{", ""), FileOf(good, "abc"),
      FileOf(good, "abcde"), FileOf(R"({"a":7})", ""), FileOf(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", "abcd"),
      FileOf(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", "abcd"),
      FileOf(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", ""),
      FileOf(R"({"a":{"dtype":"Q9","shape":[1],"data_offsets":[0,4]}})", "abcd"),
      FileOf(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "abcd"),
      FileOf(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", "abcdefgh"),
      FileOf(R"({"__metadata__":{"a":1}})", "")};
  for (const std::string& bytes : hostile) {
    absl::Status status = ParseSafetensors(bytes, "f").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << bytes;
  }
}

}  // namespace
}  // namespace ridgeline
