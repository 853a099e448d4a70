// SPDX-License-Identifier: Apache-2.0
#include "cli/shared/printable_message.h"

#include <gtest/gtest.h>

#include "common/printable.h"
#include "ridgeline/v1/coordinator.pb.h"

namespace ridgeline {
namespace {

constexpr char kHostile[] = "\x1b[31mred\x1b]0;title\x07 \xC2\x9B \xE2\x80\xAE";

TEST(PrintableMessageTest, NoTextOfAnAnswerSteersTheTerminal) {
  v1::ListJobsResponse answer;
  v1::Job& job = *answer.add_jobs();
  job.set_name(kHostile);
  job.set_reason("größer\nsecond line");
  job.add_child_ids(kHostile);
  job.add_attempts()->set_detail(kHostile);
  job.mutable_recipe()->mutable_quant()->add_skip(kHostile);
  (*job.mutable_labels())["team"] = kHostile;
  (*job.mutable_labels())[kHostile] = "key";
  MakePrintable(&answer);
  const std::string clean = Printable(kHostile);
  EXPECT_EQ(job.name(), clean);
  EXPECT_EQ(job.reason(), "größer\nsecond line");
  EXPECT_EQ(job.child_ids(0), clean);
  EXPECT_EQ(job.attempts(0).detail(), clean);
  EXPECT_EQ(job.recipe().quant().skip(0), clean);
  EXPECT_EQ(job.labels().at("team"), clean);
  EXPECT_EQ(job.labels().at(clean), "key");
  EXPECT_EQ(job.labels_size(), 2);
}

}  // namespace
}  // namespace ridgeline
