// SPDX-License-Identifier: Apache-2.0
// The promises of comm/communicator.h where a rank does not come, for every backend and number of ranks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "comm/contract_test.h"

namespace ridgeline {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// The last rank does not come.
void ExpectItsName(const absl::Status& status, const char* what, const Communicator& ranks) {
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
  const std::string absent = "rank " + std::to_string(ranks.size() - 1) + " does not answer";
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("'" + std::string(what) + "'"), HasSubstr(absent)));
}

TEST(CommunicatorContract, ARankThatDoesNotComeIsNamed) {
  OnEveryRank(
      [](Communicator& ranks) {
        if (ranks.rank() == ranks.size() - 1) return;
        std::vector<float> values(100'000);
        const double start = Now();
        const absl::Status status = ranks.AllReduceSum(values, "gradients");
        ExpectItsName(status, "gradients", ranks);
        EXPECT_GT(Now() - start, 0.8 * kShortTimeoutMs / 1e3);  // The first that began ends them all.
        if (ranks.rank() == 0) {
          EXPECT_THAT(std::string(status.message()), Not(HasSubstr("rank 1 waits")));
        }
      },
      kShortTimeoutMs);
}

TEST(CommunicatorContract, AnOperationUnderWayHasTheSameTimeOut) {
  OnEveryRank(
      [](Communicator& ranks) {
        if (ranks.rank() == ranks.size() - 1) return;
        const std::vector<int64_t> sizes(static_cast<size_t>(ranks.size()), 100'000);
        const std::vector<std::byte> mine(100'000);
        std::vector<std::byte> all(sizes.size() * 100'000);
        auto gather = ranks.StartAllGatherBytes(mine, sizes, all, "codes");
        ASSERT_EQ(gather.status(), absl::OkStatus());
        ExpectItsName((*gather)->Wait(), "codes", ranks);
        ExpectItsName((*gather)->Wait(), "codes", ranks);  // It stays so.
      },
      kShortTimeoutMs);
}

TEST(CommunicatorContract, AllRanksThatWaitEndWithTheOneWhoseTimeOutIsOver) {
  OnEveryRank(
      [](Communicator& ranks) {
        if (ranks.size() < 3 || ranks.rank() == ranks.size() - 1) return;
        // Rank 1 alone has a short one; rank 0 comes late.
        if (ranks.rank() != 1) ranks.SetTimeout(kLongTimeoutMs);
        if (ranks.rank() == 0) std::this_thread::sleep_for(milliseconds(kShortTimeoutMs / 2));
        std::vector<float> values(100'000);
        const double start = Now();
        const absl::Status status = ranks.AllReduceSum(values, "gradients");
        ExpectItsName(status, "gradients", ranks);
        EXPECT_LT(Now() - start, kLongTimeoutMs / 2e3);
        for (int rank = 0; rank < ranks.size() - 1; ++rank)
          EXPECT_THAT(std::string(status.message()).substr(10), Not(HasSubstr("rank " + std::to_string(rank) + " ")));
      },
      kShortTimeoutMs);
}

TEST(CommunicatorContract, ARankThatDoesNotComeToAnExchangeIsNamed) {
  OnEveryRank(
      [](Communicator& ranks) {
        if (ranks.rank() == ranks.size() - 1) return;
        const std::vector<int64_t> sizes(static_cast<size_t>(ranks.size()), 100'000);
        const std::vector<std::byte> outgoing(sizes.size() * 100'000);
        std::vector<std::byte> incoming(outgoing.size());
        auto exchange = ranks.StartExchangeBytes(outgoing, sizes, incoming, sizes, "parts");
        ASSERT_EQ(exchange.status(), absl::OkStatus());
        ExpectItsName((*exchange)->Wait(), "parts", ranks);
      },
      kShortTimeoutMs);
}

TEST(CommunicatorContract, WhatGoesOnElsewhereHasTheTimeOutFromWhereItBegan) {
  OnEveryRank(
      [](Communicator& ranks) {
        if (ranks.rank() == ranks.size() - 1) return;
        const double start = Now();
        const auto never = []() -> absl::StatusOr<bool> { return false; };
        // Not over at once: the others may still be on their way here.
        const int64_t since_ms = NowMs() - kLongTimeoutMs + kShortTimeoutMs;
        ExpectItsName(ranks.AwaitOther(never, since_ms, "elsewhere"), "elsewhere", ranks);
        EXPECT_LT(Now() - start, kLongTimeoutMs / 2e3);
      },
      kLongTimeoutMs);
}

TEST(CommunicatorContract, ATimeOutSaysAtWhichStep) {
  OnEveryRank(
      [](Communicator& ranks) {
        if (ranks.rank() == ranks.size() - 1) return;
        ranks.SetStep("step 812");
        const absl::Status status = ranks.Barrier("end");
        ExpectItsName(status, "end", ranks);
        EXPECT_THAT(std::string(status.message()), HasSubstr("'end' at step 812"));
      },
      kShortTimeoutMs);
}

TEST(CommunicatorContract, ANewTimeOutIsThatOfAllGroupsOfTheJob) {
  OnEveryRank([](Communicator& ranks) {
    EXPECT_EQ(ranks.timeout_ms(), kLongTimeoutMs);
    const auto group = ranks.Group(0, "group");
    ASSERT_EQ(group.status(), absl::OkStatus());
    (*group)->SetTimeout(kShortTimeoutMs);
    EXPECT_EQ(ranks.timeout_ms(), kShortTimeoutMs);
    ASSERT_EQ(ranks.Barrier("all"), absl::OkStatus());
    if (ranks.size() == 1 || ranks.rank() == ranks.size() - 1) return;
    ExpectItsName(ranks.Barrier("without the last"), "without the last", ranks);
  });
}

TEST(CommunicatorContract, ARankThatWaitsElsewhereIsNamedWithThePlace) {
  OnEveryRank(
      [](Communicator& ranks) {
        if (ranks.size() != 2) return;
        const auto group = ranks.Group(0, "group");
        ASSERT_EQ(group.status(), absl::OkStatus());
        const absl::Status status = ranks.rank() == 0 ? ranks.Barrier("training") : (*group)->Barrier("evaluation");
        EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
        EXPECT_THAT(std::string(status.message()),
                    HasSubstr(ranks.rank() == 0 ? "rank 1 waits in 'evaluation'" : "rank 0 waits in 'training'"));
      },
      kShortTimeoutMs);
}

}  // namespace
}  // namespace ridgeline
