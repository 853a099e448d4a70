// SPDX-License-Identifier: Apache-2.0
#include "comm/agreement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <thread>
#include <vector>

#include "comm/threads/thread_communicator.h"
#include "common/file.h"

namespace ridgeline {
namespace {

// What every rank is told when these are what became of their parts.
std::vector<absl::Status> Told(const std::vector<absl::Status>& parts) {
  auto ranks = MakeThreadCommunicators(static_cast<int>(parts.size()));
  std::vector<absl::Status> told(parts.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < parts.size(); ++i)
    threads.emplace_back([&, i] { told[i] = AgreeThatAllSucceeded(parts[i], "set-up", *ranks[i]); });
  for (std::thread& thread : threads) thread.join();
  return told;
}

TEST(AgreementTest, AllGoOnWhereAllSucceeded) {
  EXPECT_THAT(Told(std::vector<absl::Status>(3)), testing::Each(absl::OkStatus()));
}

TEST(AgreementTest, EveryRankHearsTheFirstFailureWithItsCodeAndNoneGoesOn) {
  const std::vector<absl::Status> told =
      Told({absl::OkStatus(), absl::DataLossError("part 7 is torn"), absl::NotFoundError("no dataset")});
  EXPECT_THAT(told, testing::Each(absl::DataLossError("rank 1: part 7 is torn")));
}

TEST(AgreementTest, AnEndlessMessageIsCutNotLost) {
  const std::vector<absl::Status> told = Told({absl::InternalError(std::string(5000, 'x')), absl::OkStatus()});
  EXPECT_EQ(told[1].message(), "rank 0: " + std::string(1024, 'x'));
}

TEST(AgreementTest, EveryRankHearsThatADiskIsFull) {
  for (const absl::Status& status : Told({absl::OkStatus(), ErrnoStatus(ENOSPC, "writing x")}))
    EXPECT_TRUE(IsNoRoom(status));
  for (const absl::Status& status : Told({absl::OkStatus(), absl::ResourceExhaustedError("out of memory")}))
    EXPECT_FALSE(IsNoRoom(status));
}

}  // namespace
}  // namespace ridgeline
