// SPDX-License-Identifier: Apache-2.0
// Each file of the fuzz corpus that lies is refused for its own lie, by name and reason.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "weights/gguf.h"
#include "weights/weight_file.h"

namespace ridgeline {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

struct Lie {
  const char* file;
  absl::StatusCode code;
  const char* reason;
};
constexpr absl::StatusCode kDamaged = absl::StatusCode::kDataLoss, kUnread = absl::StatusCode::kUnimplemented;

void ExpectRefusal(const absl::Status& status, const Lie& lie) {
  EXPECT_EQ(status.code(), lie.code) << lie.file << ": " << status;
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(lie.file), HasSubstr(lie.reason)));
}

TEST(HostileGgufTest, EachLieIsNamed) {
  const Lie lies[] = {{"alignment_0", kDamaged, "not a power of two"},
                      {"alignment_24", kDamaged, "not a power of two"},
                      {"alignment_text", kDamaged, "not a uint32"},
                      {"array_in_array", kDamaged, "arrays in an array"},
                      {"array_overflow", kDamaged, "elements of key 'k'"},
                      {"big_endian", kUnread, "big endian"},
                      {"count_lie", kDamaged, "a key before byte 32 is empty"},
                      {"five_dimensions", kDamaged, "5 dimensions"},
                      {"ggml_type_10", kUnread, "Q4_K"},
                      {"ggml_type_99", kDamaged, "unknown type 99"},
                      {"half_block", kDamaged, "a shape that Q8_0 cannot have"},
                      {"half_block_q1", kDamaged, "a shape that Q1_0 cannot have"},
                      {"half_block_tq1", kDamaged, "a shape that TQ1_0 cannot have"},
                      {"latin1_key", kDamaged, "not UTF-8"},
                      {"negative_size", kDamaged, "a shape that F32 cannot have"},
                      {"nul_name", kDamaged, "holds NUL"},
                      {"outside", kDamaged, "outside the 16 bytes"},
                      {"overlap", kDamaged, "'b' overlaps"},
                      {"same_key", kDamaged, "'k' repeats"},
                      {"same_tensor", kDamaged, "'a' repeats"},
                      {"size_overflow", kDamaged, "a shape that F32 cannot have"},
                      {"text_array_lie", kDamaged, "text of key 'k'"},
                      {"unaligned", kDamaged, "not a multiple of 32"},
                      {"unknown_kind", kDamaged, "unknown type 13"},
                      {"version_1", kUnread, "version 1"}};
  for (const Lie& lie : lies) ExpectRefusal(OpenGguf(std::string(RIDGELINE_CORPUS "/gguf/") + lie.file).status(), lie);
}

TEST(HostileSafetensorsTest, EachLieIsNamed) {
  const Lie lies[] = {{"f8", kUnread, "F8_E4M3"},          {"gap", kDamaged, "gap before tensor 'a'"},
                      {"huge_claim", kDamaged, "claims"},  {"nested", kDamaged, "nested more than 3"},
                      {"nul_name", kDamaged, "holds NUL"}, {"overflow", kDamaged, "does not match"},
                      {"overlap", kDamaged, "overlaps"},   {"same_key", kDamaged, "'a' repeats"}};
  for (const Lie& lie : lies)
    ExpectRefusal(OpenSafetensors(std::string(RIDGELINE_CORPUS "/safetensors/") + lie.file).status(), lie);
}

TEST(HostileSafetensorsTest, EachDamageOfOneTensorIsNamed) {
  auto refuse = [](const std::string& header, const std::string& data, const char* reason) {
    const uint64_t header_bytes = header.size();
    const std::string bytes =
        std::string(reinterpret_cast<const char*>(&header_bytes), sizeof header_bytes) + header + data;
    ExpectRefusal(ParseSafetensors(bytes, "f").status(), {"f", kDamaged, reason});
  };
  refuse("[]", "", "not a JSON object");
  refuse("{", "", "not a JSON object");
  refuse(R"({"a":7})", "", "not an object");
  refuse(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "abc", "outside the 3 bytes");
  refuse(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "abcde", "1 bytes follow");
  refuse(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", "abcd", "outside");
  refuse(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", "abcd", "whole numbers");
  refuse(R"({"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}})", "abcd", "whole numbers");
  refuse(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", "abcd", "does not match");
  refuse(R"({"a":{"dtype":"Q9","shape":[1],"data_offsets":[0,4]}})", "abcd", "unknown dtype 'Q9'");
  refuse(R"({"a":{"shape":[1],"data_offsets":[0,4]}})", "abcd", "lacks a dtype");
  refuse(R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", "abcd", "lacks a shape");
  refuse(R"({"a":{"dtype":"F32","shape":[1]}})", "abcd", "lacks data_offsets");
  refuse("{\"\xE9\":7}", "", "not a JSON object");
  refuse(R"({"__metadata__":{"a":1}})", "", "metadata 'a' is not text");
  ExpectRefusal(ParseSafetensors("", "f").status(), {"f", kDamaged, "shorter than"});
}

TEST(MappedFileTest, WhatIsNoFileIsRefused) {
  EXPECT_EQ(MappedFile::Open("/dev/zero").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(MappedFile::Open("/").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(MappedFile::Open("/nonexistent/file").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace ridgeline
