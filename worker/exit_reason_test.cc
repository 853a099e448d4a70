// SPDX-License-Identifier: Apache-2.0
#include "worker/exit_reason.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <thread>
#include <vector>

#include "comm/agreement.h"
#include "comm/threads/thread_communicator.h"
#include "common/file.h"

namespace ridgeline {
namespace {

TEST(ExitReasonTest, ErrorsHaveTheReasonThatTheirCodeAndWordsMean) {
  EXPECT_EQ(ExitReasonOf(absl::ResourceExhaustedError("out of memory; lower ...")), v1::EXIT_OOM);
  EXPECT_EQ(ExitReasonOf(ErrnoStatus(ENOMEM, "mapping data/tokens.bin")), v1::EXIT_OOM);
  EXPECT_EQ(ExitReasonOf(ErrnoStatus(ENOSPC, "writing state")), v1::EXIT_NO_ROOM);
  EXPECT_EQ(ExitReasonOf(ErrnoStatus(ENOENT, "opening data/dataset.json")), v1::EXIT_BAD_DATA);
  EXPECT_EQ(ExitReasonOf(ErrnoStatus(EACCES, "opening data/dataset.json")), v1::EXIT_BAD_DATA);
  EXPECT_EQ(ExitReasonOf(absl::ResourceExhaustedError("config.json is larger than 1024 bytes")), v1::EXIT_BAD_DATA);
  EXPECT_EQ(ExitReasonOf(absl::DataLossError("part 7 is torn")), v1::EXIT_BAD_DATA);
  EXPECT_EQ(ExitReasonOf(absl::InvalidArgumentError("the dataset's tokenizer has 5 tokens")), v1::EXIT_BAD_DATA);
  EXPECT_EQ(ExitReasonOf(absl::FailedPreconditionError("NONFINITE: the loss is nan")), v1::EXIT_NONFINITE);
  EXPECT_EQ(ExitReasonOf(absl::DataLossError("NONFINITE: 1 of the weights")), v1::EXIT_NONFINITE);
  EXPECT_EQ(ExitReasonOf(absl::DeadlineExceededError("rank 1 does not answer")), v1::EXIT_HUNG);
  EXPECT_EQ(ExitReasonOf(absl::UnimplementedError("parallelism.shard_degree: 3 ranks")), v1::EXIT_INCOMPATIBLE);
  EXPECT_EQ(ExitReasonOf(absl::CancelledError("cancelled")), v1::EXIT_CANCELLED);
  EXPECT_EQ(ExitReasonOf(absl::InternalError("anything")), v1::EXIT_ERROR);
  EXPECT_EQ(ExitReasonOf(absl::FailedPreconditionError("anything")), v1::EXIT_ERROR);
}

TEST(ExitReasonTest, AFullDiskWaitsAndOtherErrorsAreNotTriedAgain) {
  EXPECT_EQ(ResultOf(ErrnoStatus(ENOSPC, "writing state")).outcome(), v1::NO_ROOM);
  const v1::AttemptResult failed = ResultOf(absl::ResourceExhaustedError("out of memory"));
  EXPECT_EQ(failed.outcome(), v1::ERROR);
  EXPECT_EQ(failed.exit_reason(), v1::EXIT_OOM);
  EXPECT_EQ(failed.detail(), "out of memory");
}

TEST(ExitReasonTest, EndsOnPurposeHaveTheirReasonAndGoodOnesNone) {
  EXPECT_EQ(ResultOf(v1::STOPPED, "").exit_reason(), v1::EXIT_CANCELLED);
  EXPECT_EQ(ResultOf(v1::PREEMPTED, "").exit_reason(), v1::EXIT_PREEMPTED);
  EXPECT_EQ(ResultOf(v1::COMPLETED, "").exit_reason(), v1::EXIT_REASON_UNSPECIFIED);
  EXPECT_EQ(ResultOf(v1::REACHED, "").exit_reason(), v1::EXIT_REASON_UNSPECIFIED);
}

TEST(ExitReasonTest, AHungAttemptIsLostAndOneThatWasCancelledHasStopped) {
  const v1::AttemptResult hung = HungResult("HUNG: rank 1", /*was_cancelled=*/false);
  EXPECT_EQ(hung.outcome(), v1::LOST);
  EXPECT_EQ(hung.exit_reason(), v1::EXIT_HUNG);
  EXPECT_EQ(hung.detail(), "HUNG: rank 1");
  EXPECT_EQ(HungResult("HUNG: rank 1", /*was_cancelled=*/true).outcome(), v1::STOPPED);
  EXPECT_EQ(HungResult("HUNG: rank 1", /*was_cancelled=*/true).exit_reason(), v1::EXIT_CANCELLED);
}

TEST(ExitReasonTest, RankZeroKnowsTheReasonOfAnotherRanksError) {
  const std::vector<absl::Status> errors = {absl::ResourceExhaustedError("out of memory"), ErrnoStatus(ENOSPC, "x"),
                                            absl::DataLossError("torn"), absl::UnimplementedError("no such kernel")};
  for (const absl::Status& error : errors) {
    auto ranks = MakeThreadCommunicators(2);
    std::thread other([&] { AgreeThatAllSucceeded(error, "set-up", *ranks[1]).IgnoreError(); });
    const absl::Status told = AgreeThatAllSucceeded(absl::OkStatus(), "set-up", *ranks[0]);
    other.join();
    EXPECT_EQ(ExitReasonOf(told), ExitReasonOf(error)) << told;
  }
}

}  // namespace
}  // namespace ridgeline
