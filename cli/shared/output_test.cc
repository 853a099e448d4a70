// SPDX-License-Identifier: Apache-2.0
#include "cli/shared/output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <nlohmann/json.hpp>

#include "cli/shared/client.h"
#include "cli/shared/exit_code.h"
#include "ridgeline/v1/job.pb.h"

namespace ridgeline {
namespace {

using testing::HasSubstr;

TEST(FormatMessage, KeepsSchemaNamesAndZeros) {
  v1::Job job;
  job.set_id("job-1");
  job.set_state(v1::QUEUED);
  const auto text = FormatMessage(job, OutputFormat::kJson);
  ASSERT_TRUE(text.ok());
  const auto json = nlohmann::json::parse(*text);
  EXPECT_EQ(json["state"], "QUEUED");
  EXPECT_EQ(json["restarts"], 0);
  EXPECT_TRUE(json.contains("parent_id"));
  EXPECT_FALSE(json.contains("progress"));
}

TEST(FormatMessage, WritesYamlThatReadsBackAsTheSameText) {
  v1::Job job;
  job.set_name("no");
  job.set_reason("wait: \"4\" ranks\nline two");
  (*job.mutable_labels())["1e3"] = "0x10";
  const auto text = FormatMessage(job, OutputFormat::kYaml);
  ASSERT_TRUE(text.ok());
  const YAML::Node yaml = YAML::Load(*text);
  EXPECT_EQ(yaml["name"].as<std::string>(), "no");
  EXPECT_EQ(yaml["reason"].as<std::string>(), job.reason());
  EXPECT_THAT(*text, HasSubstr("name: \"no\""));
  EXPECT_THAT(*text, HasSubstr("\"1e3\": \"0x10\""));
  EXPECT_THAT(*text, HasSubstr("child_ids: []"));
}

TEST(ParseOutputFormat, NamesTheAllowedOnes) {
  EXPECT_EQ(*ParseOutputFormat("name"), OutputFormat::kName);
  EXPECT_THAT(std::string(ParseOutputFormat("xml").status().message()), HasSubstr("allowed: table, json, yaml, name"));
}

TEST(ExitCodeOf, FollowsTheContract) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), 0);
  EXPECT_EQ(ExitCodeOf(absl::InternalError("")), 1);
  EXPECT_EQ(ExitCodeOf(absl::DataLossError("")), 1);
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError("")), 2);
  EXPECT_EQ(ExitCodeOf(absl::NotFoundError("")), 3);
  EXPECT_EQ(ExitCodeOf(absl::PermissionDeniedError("")), 4);
  EXPECT_EQ(ExitCodeOf(absl::UnauthenticatedError("")), 4);
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError("")), 5);
  EXPECT_EQ(ExitCodeOf(absl::DeadlineExceededError("")), 5);
  EXPECT_EQ(ExitCodeOf(absl::FailedPreconditionError("")), 6);
  EXPECT_EQ(ExitCodeOf(absl::AlreadyExistsError("")), 6);
  EXPECT_EQ(ExitCodeOf(absl::ResourceExhaustedError("")), 7);
  EXPECT_EQ(ExitCodeOf(absl::CancelledError("")), 130);
}

TEST(ExitCodeOf, TellsHowAFollowedJobEnded) {
  EXPECT_EQ(ExitCodeOf(v1::SUCCEEDED), 0);
  EXPECT_EQ(ExitCodeOf(v1::FAILED), 10);
  EXPECT_EQ(ExitCodeOf(v1::CANCELLED), 11);
}

TEST(FromGrpcStatus, NamesAddressAndRemedyWhenNobodyAnswers) {
  const absl::Status status = FromGrpcStatus({grpc::StatusCode::UNAVAILABLE, "refused"}, "127.0.0.1:9");
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("127.0.0.1:9 (refused); `ridgeline up`"));
}

TEST(Reconnector, GivesUpAfterItsTimeAndStartsOverWhenACallWorked) {
  ManualClock clock;
  Reconnector reconnector("here", clock, {std::chrono::milliseconds(1'000), std::chrono::milliseconds(0)});
  const absl::Status away = absl::UnavailableError("away");
  EXPECT_TRUE(reconnector.Failed(away).ok());
  clock.Advance(999);
  EXPECT_TRUE(reconnector.Failed(away).ok());
  reconnector.Worked();
  clock.Advance(1'000);
  EXPECT_TRUE(reconnector.Failed(away).ok());
  clock.Advance(1'000);
  EXPECT_EQ(reconnector.Failed(away), away);
}

TEST(Reconnector, PassesOtherErrorsOnAtOnce) {
  ManualClock clock;
  Reconnector reconnector("here", clock);
  EXPECT_EQ(reconnector.Failed(absl::NotFoundError("job-9")).code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace ridgeline
