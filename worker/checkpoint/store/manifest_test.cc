// SPDX-License-Identifier: Apache-2.0
#include "worker/checkpoint/store/manifest.h"

#include <gtest/gtest.h>

namespace ridgeline {
namespace {

// A matrix of five rows on two ranks, and a scalar on the first.
CheckpointManifest PartOf(int rank) {
  CheckpointManifest part{.step = 20, .job_id = "job-1", .recipe_sha256 = "ab", .skipped_steps = 2, .ranks = 2};
  part.files.push_back({.name = rank == 0 ? "a.safetensors" : "b.safetensors", .bytes = 100 + rank, .sha256 = "cd"});
  part.tensors["w"] = {.dtype = Dtype::kF32,
                       .shape = {5, 2},
                       .shards = {rank == 0 ? CheckpointShard{0, 0, 3} : CheckpointShard{0, 3, 2}}};
  if (rank == 0) part.tensors["steps"] = {.dtype = Dtype::kI64, .shape = {}, .shards = {{0, 0, 1}}};
  return part;
}

std::string Merged() {
  return FormatManifest(MergeManifests({FormatManifest(PartOf(0)), FormatManifest(PartOf(1))}).value());
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from << " is not in " << text;
  return text.replace(at, from.size(), to);
}

TEST(ManifestTest, WhatRanksWroteIsOneCheckpoint) {
  CheckpointManifest last = PartOf(1);
  last.validation_loss = 2.5;  // Only the first rank's word counts.
  // Whatever the order of ranks and rows.
  for (const auto& parts : {std::vector{PartOf(0), last}, {last, PartOf(0)}}) {
    const CheckpointManifest whole = MergeManifests({FormatManifest(parts[0]), FormatManifest(parts[1])}).value();
    EXPECT_EQ(whole.step, 20);
    EXPECT_EQ(whole.validation_loss, parts[0].validation_loss);
    EXPECT_EQ(whole.FileBytes(), 201);
    const CheckpointTensor& matrix = whole.tensors.at("w");
    ASSERT_EQ(matrix.shards.size(), 2u);
    EXPECT_EQ(matrix.shards[1].begin_row, 3);
    EXPECT_EQ(whole.files[matrix.shards[1].file].name, "b.safetensors");
    EXPECT_EQ(matrix.ShapeOf(matrix.shards[1]), (std::vector<int64_t>{2, 2}));
  }
}

TEST(ManifestTest, ItReadsBack) {
  const CheckpointManifest read = ParseManifest(Merged()).value();
  EXPECT_EQ(read.job_id, "job-1");
  EXPECT_EQ(read.skipped_steps, 2);
  EXPECT_FALSE(read.validation_loss.has_value());
  EXPECT_EQ(read.tensors.at("steps").rows(), 1);
  EXPECT_EQ(FormatManifest(read), Merged());
}

TEST(ManifestTest, FormatOneHasAFileAndNoTensors) {
  const CheckpointManifest read = ParseManifest(R"({"format": 1, "step": 7, "job_id": "job-1", "recipe_sha256": "ab",
                        "files": [{"name": "state.safetensors", "bytes": 9, "sha256": "cd"}]})")
                                      .value();
  EXPECT_EQ(read.step, 7);
  EXPECT_EQ(read.ranks, 1);
  EXPECT_TRUE(read.tensors.empty());
}

TEST(ManifestTest, WhatIsWrongIsSaid) {
  for (const auto& [from, to, said] : std::vector<std::array<std::string, 3>>{
           {"[1,3,2]", "[1,3,1]", "tensor 'w' lacks rows: its shards hold 4 of 5"},
           {"[1,3,2]", "[1,2,3]", "from row 2 after row 2"},
           {"[1,3,2]", "[2,3,2]", "in a file that is not listed"},
           {"[1,3,2]", "[1,3,9223372036854775807]", "shard of 9223372036854775807 rows"},
           {"[1,3,2]", "[1,3,-2]", "-2 is no count"},
           {"[1,3,2]", "[1,3]", "a shard is file, first row and rows"},
           {"\"F32\"", "\"F31\"", "there is no dtype 'F31'"},
           {"b.safetensors", "../b.safetensors", "../b.safetensors"},
           {"b.safetensors", "a.safetensors", "listed twice"},
           {"\"format\": 2", "\"format\": 3", "format 3 is not one that this version knows"},
           {"\"step\": 20", "\"step\": \"20\"", "is no count"},
           {"{", "", "parse error"}}) {
    const absl::Status status = ParseManifest(Replaced(Merged(), from, to)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_NE(std::string(status.message()).find(said), std::string::npos) << said << ": " << status;
  }
}

TEST(ManifestTest, RanksThatDoNotBelongTogetherAreRefused) {
  CheckpointManifest other = PartOf(1);
  other.tensors["w"].shape = {5, 3};
  EXPECT_EQ(MergeManifests({FormatManifest(PartOf(0)), FormatManifest(other)}).status().code(),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(MergeManifests({FormatManifest(PartOf(0))}).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace ridgeline
