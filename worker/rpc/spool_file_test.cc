// SPDX-License-Identifier: Apache-2.0
#include "worker/rpc/spool_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "common/file.h"
#include "common/sha256.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

v1::WorkerMessage CheckpointAt(int64_t sequence, int64_t step) {
  v1::WorkerMessage message;
  message.set_sequence(sequence);
  message.mutable_checkpoint()->set_job_id("job-1");
  message.mutable_checkpoint()->mutable_checkpoint()->set_step(step);
  return message;
}

v1::WorkerMessage Result(int64_t sequence, const std::string& detail = "") {
  v1::WorkerMessage message;
  message.set_sequence(sequence);
  message.mutable_result()->set_job_id("job-1");
  message.mutable_result()->set_detail(detail);
  return message;
}

Spool SpoolOf(std::vector<v1::WorkerMessage> records) {
  return {.group_id = "group", .incarnation = "first", .records = std::move(records)};
}

// With a hash that is right, whatever the body.
std::string WithHash(const std::string& body) { return "ridgeline spool 1\n" + Sha256Hex(body) + "\n" + body; }

std::string BodyOf(const Spool& spool) { return FormatSpool(spool).substr(18 + 64 + 1); }

TEST(SpoolFileTest, WhatIsWrittenIsReadBack) {
  const Spool spool = SpoolOf({CheckpointAt(3, 20), Result(7, "20 steps")});
  const absl::StatusOr<Spool> read = ParseSpool(FormatSpool(spool));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->group_id, "group");
  EXPECT_EQ(read->incarnation, "first");
  ASSERT_EQ(read->records.size(), 2u);
  EXPECT_EQ(read->records[0].checkpoint().checkpoint().step(), 20);
  EXPECT_EQ(read->records[1].sequence(), 7);
  EXPECT_EQ(read->records[1].result().detail(), "20 steps");
}

TEST(SpoolFileTest, EachByteThatIsMissingOrChangedIsNoticed) {
  const std::string bytes = FormatSpool(SpoolOf({CheckpointAt(1, 20), Result(2)}));
  for (size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_TRUE(absl::IsDataLoss(ParseSpool(bytes.substr(0, i)).status())) << i;
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_TRUE(absl::IsDataLoss(ParseSpool(changed).status())) << i;
  }
}

TEST(SpoolFileTest, RecordsThatNoGroupWritesAreRefusedHoweverWellTheyAreHashed) {
  v1::WorkerMessage logs;
  logs.set_sequence(1);
  logs.mutable_logs()->set_job_id("job-1");
  v1::WorkerMessage without_job = Result(1);
  without_job.mutable_result()->clear_job_id();
  EXPECT_THAT(std::string(ParseSpool(FormatSpool(SpoolOf({logs}))).status().message()), HasSubstr("not kept"));
  EXPECT_THAT(std::string(ParseSpool(FormatSpool(SpoolOf({without_job}))).status().message()), HasSubstr("no job"));
  EXPECT_THAT(std::string(ParseSpool(FormatSpool(SpoolOf({Result(2), Result(2)}))).status().message()),
              HasSubstr("rise"));
  EXPECT_THAT(std::string(ParseSpool(WithHash("")).status().message()), HasSubstr("cut off"));
  EXPECT_THAT(std::string(ParseSpool(WithHash(std::string("\xff\xff\xff\xff", 4))).status().message()),
              HasSubstr("cut off"));
  EXPECT_THAT(std::string(ParseSpool(WithHash(std::string("\0\0\0\0", 4))).status().message()), HasSubstr("whose"));
  const std::string body = BodyOf(SpoolOf({Result(1)}));
  EXPECT_TRUE(ParseSpool(WithHash(body)).ok());
  EXPECT_TRUE(absl::IsDataLoss(ParseSpool(WithHash(body + "x")).status()));
}

TEST(SpoolFileTest, OfTooManyTheOldestCheckpointsAreLeftOutAndNoResult) {
  std::vector<v1::WorkerMessage> records = {Result(1)};
  for (int64_t i = 2; i <= 400; ++i) records.push_back(CheckpointAt(i, i));
  records.push_back(Result(401));
  const Spool read = *ParseSpool(FormatSpool(SpoolOf(records)));
  ASSERT_EQ(read.records.size(), kMaxSpoolRecords);
  EXPECT_EQ(read.records.front().sequence(), 1);
  EXPECT_EQ(read.records[1].sequence(), 401 - 254);
  EXPECT_EQ(read.records.back().sequence(), 401);
}

TEST(SpoolFileTest, OfTooMuchTheOldestIsLeftOut) {
  const std::string large(3 << 20, 'x');
  const Spool read =
      *ParseSpool(FormatSpool(SpoolOf({Result(1, large), CheckpointAt(2, 1), Result(3, large), Result(4, large)})));
  ASSERT_EQ(read.records.size(), 2u);
  EXPECT_EQ(read.records[0].sequence(), 3);
}

TEST(SpoolFileTest, GroupsOfAnyNamesHavePlacesOfTheirOwnInTheWorkFolder) {
  std::set<std::string> places;
  const std::vector<std::string> names = {
      "local", "", ".", "..", "../..", "a/b", "a%2Fb", "%", "\n", "/etc", "slurm-123", ".local", std::string(300, 'x')};
  for (const std::string& name : names) {
    const fs::path path = SpoolPath("/work", name);
    EXPECT_TRUE(places.insert(path.string()).second) << path;
    EXPECT_EQ(path.lexically_normal(), path);
    EXPECT_EQ(path.parent_path().parent_path(), "/work/groups");
    EXPECT_LT(path.parent_path().filename().string().size(), 256u);
  }
  EXPECT_EQ(SpoolPath("/work", "slurm-123"), "/work/groups/slurm-123/spool");
}

TEST(SpoolFileTest, NoFileIsNoSpoolAndAnotherGroupsIsDamage) {
  const fs::path folder = fs::temp_directory_path() / fmt::format("ridgeline_spool_file_test_{}", ::getpid());
  const std::string path = (folder / "spool").string();
  EXPECT_EQ(ReadSpool(path, "group")->has_value(), false);
  ASSERT_TRUE(WriteFileAtomically(path, FormatSpool(SpoolOf({Result(1)}))).ok());
  EXPECT_EQ((*ReadSpool(path, "group"))->records.size(), 1u);
  EXPECT_TRUE(absl::IsDataLoss(ReadSpool(path, "other").status()));
  fs::resize_file(path, kMaxSpoolBytes + 1);
  EXPECT_TRUE(absl::IsDataLoss(ReadSpool(path, "group").status()));
  fs::remove_all(folder);
}

}  // namespace
}  // namespace ridgeline
