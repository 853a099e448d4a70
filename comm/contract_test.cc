// SPDX-License-Identifier: Apache-2.0
// The promises of comm/communicator.h, for every backend and number of ranks.
#include "comm/contract_test.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace ridgeline {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::Each;
using testing::HasSubstr;

// A rank's values: of very different sizes, so that the order in which they are added shows.
template <typename T>
std::vector<T> ValuesOf(int rank, int64_t count) {
  std::mt19937 random(static_cast<uint32_t>(rank) + 1);
  std::vector<T> values(static_cast<size_t>(count));
  for (T& value : values) {
    const uint32_t bits = random();
    value = (static_cast<T>(bits) - T(0x7fffffff)) * static_cast<T>(uint64_t{1} << (bits % 40));
  }
  return values;
}

// ((rank 0 + rank 1) + rank 2) + ...
template <typename T>
std::vector<T> SumOfRanks(int ranks, int64_t count) {
  std::vector<T> sum = ValuesOf<T>(0, count);
  for (int rank = 1; rank < ranks; ++rank) {
    const std::vector<T> values = ValuesOf<T>(rank, count);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += values[i];
  }
  return sum;
}

template <typename T>
bool SameBits(std::span<const T> a, std::span<const T> b) {
  return std::ranges::equal(std::as_bytes(a), std::as_bytes(b));
}

// Uneven, and empty for rank 1: the first has two, the others more and more.
std::vector<int64_t> UnevenSizes(int ranks, int64_t unit) {
  std::vector<int64_t> sizes;
  for (int rank = 0; rank < ranks; ++rank) sizes.push_back(rank == 1 ? 0 : (rank + 2) * unit + rank);
  return sizes;
}

int64_t SumOf(const std::vector<int64_t>& sizes, int end) {
  return std::accumulate(sizes.begin(), sizes.begin() + end, int64_t{0});
}

std::vector<std::byte> BytesOf(int rank, int64_t count) {
  std::vector<std::byte> bytes;
  for (int64_t i = 0; i < count; ++i) bytes.push_back(static_cast<std::byte>(31 * rank + i % 251));
  return bytes;
}

std::vector<std::byte> AllBytes(const std::vector<int64_t>& sizes) {
  std::vector<std::byte> all;
  for (size_t rank = 0; rank < sizes.size(); ++rank)
    for (std::byte byte : BytesOf(static_cast<int>(rank), sizes[rank])) all.push_back(byte);
  return all;
}

// What `from` has for `to`: uneven, in every third case nothing, and nothing at all for rank 1.
int64_t PairSize(int from, int to, int64_t unit) {
  return to == 1 || (from + 2 * to) % 3 == 2 ? 0 : (from + 1) * unit + to;
}

std::vector<std::byte> PairBytes(int from, int to, int64_t unit) {
  return BytesOf(7 * from + to, PairSize(from, to, unit));
}

// What a rank brings to an exchange, and what it has to leave with.
struct Exchanged {
  Exchanged(const Communicator& ranks, int64_t unit) {
    for (int other = 0; other < ranks.size(); ++other) {
      out_sizes.push_back(PairSize(ranks.rank(), other, unit));
      in_sizes.push_back(PairSize(other, ranks.rank(), unit));
      std::ranges::copy(PairBytes(ranks.rank(), other, unit), std::back_inserter(outgoing));
      std::ranges::copy(PairBytes(other, ranks.rank(), unit), std::back_inserter(expected));
    }
    incoming.resize(expected.size());
  }
  absl::StatusOr<std::unique_ptr<Pending>> Start(Communicator& ranks, const char* what) {
    return ranks.StartExchangeBytes(outgoing, out_sizes, incoming, in_sizes, what);
  }

  std::vector<int64_t> out_sizes, in_sizes;
  std::vector<std::byte> outgoing, expected, incoming;
};

const CollectiveCount& CountOf(const Communicator& ranks, Collective collective) {
  return ranks.counts()[static_cast<size_t>(collective)];
}

template <typename T>
void ExpectSums(Communicator& ranks) {
  for (int64_t count : {0, 1, 7, 2'000, 1'000'003}) {
    std::vector<T> values = ValuesOf<T>(ranks.rank(), count);
    ASSERT_EQ(ranks.AllReduceSum(values, "sum"), absl::OkStatus());
    EXPECT_TRUE(SameBits<T>(values, SumOfRanks<T>(ranks.size(), count))) << count;
  }
}

TEST(CommunicatorContract, SumsRunInTheOrderOfRanksAndHaveTheSameBitsOnAll) {
  OnEveryRank([](Communicator& ranks) {
    ExpectSums<float>(ranks);
    ExpectSums<double>(ranks);
  });
}

TEST(CommunicatorContract, ASumOfSeveralPiecesHasTheSameBits) {
  OnEveryRank([](Communicator& ranks) {
    std::vector<float> values = ValuesOf<float>(ranks.rank(), 5'000'003);
    ASSERT_EQ(ranks.AllReduceSum(values, "sum"), absl::OkStatus());
    EXPECT_TRUE(SameBits<float>(values, SumOfRanks<float>(ranks.size(), 5'000'003)));
  });
}

TEST(CommunicatorContract, AScatteredSumIsItsPartOfTheWholeSumBitForBit) {
  OnEveryRank([](Communicator& ranks) {
    for (int64_t unit : {0, 1, 5'000}) {
      const std::vector<int64_t> sizes = UnevenSizes(ranks.size(), unit);
      const int64_t count = SumOf(sizes, ranks.size()), begin = SumOf(sizes, ranks.rank());
      const int64_t mine = sizes[static_cast<size_t>(ranks.rank())];
      std::vector<float> whole = ValuesOf<float>(ranks.rank(), count), apart = whole, in_place = whole, sum(mine);
      ASSERT_EQ(ranks.AllReduceSum(whole, "whole"), absl::OkStatus());
      ASSERT_EQ(ranks.ReduceScatterSum(apart, sizes, sum, "apart"), absl::OkStatus());
      const MemorySpan<float> place(in_place.data() + begin, mine);
      ASSERT_EQ(ranks.ReduceScatterSum(in_place, sizes, place, "in place"), absl::OkStatus());
      const auto part = std::span<const float>(whole).subspan(begin, mine);
      EXPECT_TRUE(SameBits<float>(sum, part)) << unit;
      EXPECT_TRUE(SameBits<float>(std::span<const float>(in_place).subspan(begin, mine), part)) << unit;
      EXPECT_TRUE(SameBits<float>(apart, ValuesOf<float>(ranks.rank(), count))) << "what is only read has changed";
    }
  });
}

TEST(CommunicatorContract, GatheredPartsLieInTheOrderOfRanks) {
  OnEveryRank([](Communicator& ranks) {
    for (int64_t unit : {0, 1, 50'000}) {
      const std::vector<int64_t> sizes = UnevenSizes(ranks.size(), unit);
      std::vector<std::byte> mine = BytesOf(ranks.rank(), sizes[static_cast<size_t>(ranks.rank())]);
      std::vector<std::byte> apart(SumOf(sizes, ranks.size())), in_place = apart;
      ASSERT_EQ(ranks.AllGatherBytes(mine, sizes, apart, "apart"), absl::OkStatus());
      std::byte* place = in_place.data() + SumOf(sizes, ranks.rank());
      std::ranges::copy(mine, place);
      ASSERT_EQ(ranks.AllGatherBytes({place, std::ssize(mine)}, sizes, in_place, "in place"), absl::OkStatus());
      EXPECT_EQ(apart, AllBytes(sizes)) << unit;
      EXPECT_EQ(in_place, AllBytes(sizes)) << unit;
    }
  });
}

TEST(CommunicatorContract, EveryPairExchangesWhatTheOneHasForTheOther) {
  OnEveryRank([](Communicator& ranks) {
    for (int64_t unit : {0, 1, 50'000}) {
      Exchanged bytes(ranks, unit);
      const std::vector<std::byte> before = bytes.outgoing;
      ASSERT_EQ(ranks.ExchangeBytes(bytes.outgoing, bytes.out_sizes, bytes.incoming, bytes.in_sizes, "exchange"),
                absl::OkStatus());
      EXPECT_EQ(bytes.incoming, bytes.expected) << unit;
      EXPECT_EQ(bytes.outgoing, before) << "what is only read has changed";
    }
  });
}

TEST(CommunicatorContract, AnExchangeAndASumMakeAScatteredSum) {
  OnEveryRank([](Communicator& ranks) {
    const std::vector<int64_t> sizes = UnevenSizes(ranks.size(), 3'000);
    const int64_t mine = sizes[static_cast<size_t>(ranks.rank())];
    const std::vector<float> values = ValuesOf<float>(ranks.rank(), SumOf(sizes, ranks.size()));
    std::vector<float> parts(static_cast<size_t>(mine * ranks.size())), sum(static_cast<size_t>(mine));
    std::vector<int64_t> out_sizes, in_sizes(sizes.size(), 4 * mine);
    for (int64_t size : sizes) out_sizes.push_back(4 * size);
    const auto incoming = std::as_writable_bytes(std::span(parts));
    ASSERT_EQ(ranks.ExchangeBytes(std::as_bytes(std::span(values)), out_sizes, incoming, in_sizes, "parts"),
              absl::OkStatus());
    ASSERT_EQ(ranks.ReduceScatterSum(values, sizes, sum, "sum"), absl::OkStatus());
    std::vector<float> added(parts.begin(), parts.begin() + mine);
    for (int64_t i = mine; i < std::ssize(parts); ++i) added[static_cast<size_t>(i % mine)] += parts[i];
    EXPECT_TRUE(SameBits<float>(added, sum));
  });
}

TEST(CommunicatorContract, RanksThatAllHaveNothingExchangeNothing) {
  OnEveryRank([](Communicator& ranks) {
    const std::vector<int64_t> sizes(static_cast<size_t>(ranks.size()), 0);
    EXPECT_EQ(ranks.AllGatherBytes({}, sizes, {}, "bytes"), absl::OkStatus());
    EXPECT_EQ(ranks.ReduceScatterSum({}, sizes, {}, "floats"), absl::OkStatus());
    EXPECT_EQ(ranks.ExchangeBytes({}, sizes, {}, sizes, "pairs"), absl::OkStatus());
  });
}

TEST(CommunicatorContract, TheRootsBytesComeToAllAndEverybodysToTheRoot) {
  OnEveryRank([](Communicator& ranks) {
    for (size_t size : {size_t{0}, size_t{1}, size_t{100'000}}) {
      const std::string sent(size, '\7');
      std::string told = ranks.rank() == 0 ? sent : "something else", awaited = told;
      ASSERT_EQ(ranks.BroadcastFromRoot(&told, "broadcast"), absl::OkStatus());
      ASSERT_EQ(ranks.AwaitRoot(&awaited, "wait"), absl::OkStatus());
      EXPECT_EQ(told, sent);
      EXPECT_EQ(awaited, sent);
      std::vector<std::string> by_rank = {"before"}, expected;
      const auto bytes_of = [size](int rank) { return std::string(size * static_cast<size_t>(rank), 'x'); };
      ASSERT_EQ(ranks.GatherToRoot(bytes_of(ranks.rank()), &by_rank, "gather"), absl::OkStatus());
      for (int rank = 0; ranks.rank() == 0 && rank < ranks.size(); ++rank) expected.push_back(bytes_of(rank));
      EXPECT_EQ(by_rank, expected);
    }
  });
}

TEST(CommunicatorContract, NobodyLeavesABarrierBeforeTheLastHasCome) {
  OnEveryRank([](Communicator& ranks) {
    std::this_thread::sleep_for(milliseconds(100) * ranks.rank());
    std::vector<double> came(static_cast<size_t>(ranks.size()));
    came[static_cast<size_t>(ranks.rank())] = Now();
    ASSERT_EQ(ranks.Barrier("barrier"), absl::OkStatus());
    const double left = Now();
    ASSERT_EQ(ranks.AllReduceSum(came, "times"), absl::OkStatus());
    EXPECT_THAT(came, Each(testing::Le(left)));
  });
}

TEST(CommunicatorContract, IdleRanksWaitForTheRootWithoutTimeOut) {
  OnEveryRank(
      [](Communicator& ranks) {
        std::string bytes = ranks.rank() == 0 ? "work" : "";
        if (ranks.rank() == 0 && ranks.size() > 1) std::this_thread::sleep_for(milliseconds(kShortTimeoutMs + 1'000));
        ASSERT_EQ(ranks.AwaitRoot(&bytes, "wait"), absl::OkStatus());
        EXPECT_EQ(bytes, "work");
      },
      kShortTimeoutMs);
}

TEST(CommunicatorContract, ARootWithWorkDoesNotWaitForThoseThatComeLate) {
  OnEveryRank([](Communicator& ranks) {
    ASSERT_EQ(ranks.Barrier("start"), absl::OkStatus());
    const double start = Now();
    if (ranks.rank() > 0) std::this_thread::sleep_for(milliseconds(1'000));
    std::string bytes = "work";
    ASSERT_EQ(ranks.AwaitRoot(&bytes, "wait"), absl::OkStatus());
    if (ranks.rank() == 0) {
      EXPECT_LT(Now() - start, 0.9);
    }
    ASSERT_EQ(ranks.Barrier("end"), absl::OkStatus());
  });
}

// Each rank counts 1 in its group's place of a sum over the group.
void ExpectMembers(Communicator& group, int64_t id_in_job, const std::vector<double>& members) {
  ASSERT_EQ(group.size(), std::ssize(members));
  std::vector<double> ids(members.size());
  ids[static_cast<size_t>(group.rank())] = static_cast<double>(id_in_job);
  ASSERT_EQ(group.AllReduceSum(ids, "members"), absl::OkStatus());
  EXPECT_EQ(ids, members);
}

TEST(CommunicatorContract, GroupsAreOfOneColorAndKeepTheOrderOfRanks) {
  OnEveryRank([](Communicator& ranks) {
    const int parity = ranks.rank() % 2;
    const auto group = ranks.Group(parity, "parity");
    ASSERT_EQ(group.status(), absl::OkStatus());
    std::vector<double> members, everybody;
    for (int rank = 0; rank < ranks.size(); ++rank) everybody.push_back(rank);
    for (int rank = parity; rank < ranks.size(); rank += 2) members.push_back(rank);
    // One and the other, in turns.
    ExpectMembers(**group, ranks.rank(), members);
    ExpectMembers(ranks, ranks.rank(), everybody);
    ExpectMembers(**group, ranks.rank(), members);
  });
}

TEST(CommunicatorContract, GroupsHaveGroupsAndOutliveThem) {
  OnEveryRank([](Communicator& ranks) {
    auto all = ranks.Group(7, "all");
    ASSERT_EQ(all.status(), absl::OkStatus());
    auto upper = (*all)->Group(ranks.rank() > 0 ? 0 : -1, "upper");
    ASSERT_EQ(upper.status(), absl::OkStatus());
    EXPECT_EQ(*upper == nullptr, ranks.rank() == 0);
    all->reset();
    std::vector<double> members;
    for (int rank = 1; rank < ranks.size(); ++rank) members.push_back(rank);
    if (*upper != nullptr) ExpectMembers(**upper, ranks.rank(), members);
  });
}

TEST(CommunicatorContract, GroupsThatShareRanksDoNotMixTheirMessages) {
  OnEveryRank([](Communicator& ranks) {
    const auto first = ranks.Group(0, "first"), second = ranks.Group(0, "second");
    ASSERT_TRUE(first.ok() && second.ok());
    const std::vector<int64_t> sizes(static_cast<size_t>(ranks.size()), 1);
    const std::byte one{1}, two{2};
    std::vector<std::byte> ones(sizes.size()), twos(sizes.size());
    // Started in another order by the ranks.
    std::unique_ptr<Pending> pending[2];
    for (int i : {ranks.rank() % 2, 1 - ranks.rank() % 2}) {
      auto started = i == 0 ? (*first)->StartAllGatherBytes({&one, 1}, sizes, ones, "ones")
                            : (*second)->StartAllGatherBytes({&two, 1}, sizes, twos, "twos");
      ASSERT_EQ(started.status(), absl::OkStatus());
      pending[i] = *std::move(started);
    }
    for (const auto& one_of_two : pending) ASSERT_EQ(one_of_two->Wait(), absl::OkStatus());
    EXPECT_THAT(ones, Each(one));
    EXPECT_THAT(twos, Each(two));
  });
}

TEST(CommunicatorContract, WhatIsUnderWayLetsOthersPassAndIsWaitedForInAnyOrder) {
  OnEveryRank([](Communicator& ranks) {
    const std::vector<int64_t> sizes = UnevenSizes(ranks.size(), 100'000);
    const int64_t mine = sizes[static_cast<size_t>(ranks.rank())], count = SumOf(sizes, ranks.size());
    const std::vector<std::byte> bytes = BytesOf(ranks.rank(), mine);
    const std::vector<float> values = ValuesOf<float>(ranks.rank(), count);
    std::vector<std::byte> all(static_cast<size_t>(count));
    std::vector<float> sum(static_cast<size_t>(mine)), between = {1};
    auto gather = ranks.StartAllGatherBytes(bytes, sizes, all, "gather");
    ASSERT_EQ(gather.status(), absl::OkStatus());
    auto scatter = ranks.StartReduceScatterSum(values, sizes, sum, "scatter");
    ASSERT_EQ(scatter.status(), absl::OkStatus());
    ASSERT_EQ(ranks.AllReduceSum(between, "between"), absl::OkStatus());
    Pending* const in_turn[] = {gather->get(), scatter->get()};
    ASSERT_EQ(in_turn[ranks.rank() % 2]->Wait(), absl::OkStatus());
    ASSERT_EQ(in_turn[1 - ranks.rank() % 2]->Wait(), absl::OkStatus());
    EXPECT_EQ(between[0], static_cast<float>(ranks.size()));
    EXPECT_EQ(all, AllBytes(sizes));
    const std::vector<float> whole = SumOfRanks<float>(ranks.size(), count);
    EXPECT_TRUE(SameBits<float>(sum, std::span(whole).subspan(SumOf(sizes, ranks.rank()), mine)));
  });
}

TEST(CommunicatorContract, SeveralExchangesAreUnderWayAtOnceAndKeepApart) {
  OnEveryRank([](Communicator& ranks) {
    std::vector<Exchanged> exchanges;
    for (int64_t unit : {100'000, 3, 0, 20'000}) exchanges.emplace_back(ranks, unit);
    std::vector<std::unique_ptr<Pending>> pending;
    for (Exchanged& bytes : exchanges) {
      auto started = bytes.Start(ranks, "exchange");
      ASSERT_EQ(started.status(), absl::OkStatus());
      pending.push_back(*std::move(started));
    }
    std::vector<float> between = {1};
    ASSERT_EQ(ranks.AllReduceSum(between, "between"), absl::OkStatus());
    if (ranks.rank() % 2 == 1) std::ranges::reverse(pending);
    for (const auto& one : pending) ASSERT_EQ(one->Wait(), absl::OkStatus());
    for (const Exchanged& bytes : exchanges) EXPECT_EQ(bytes.incoming, bytes.expected);
  });
}

TEST(CommunicatorContract, LooksMoveAnOperationToItsEnd) {
  OnEveryRank([](Communicator& ranks) {
    const std::vector<int64_t> sizes = UnevenSizes(ranks.size(), 300'000);
    const std::vector<std::byte> bytes = BytesOf(ranks.rank(), sizes[static_cast<size_t>(ranks.rank())]);
    std::vector<std::byte> all(static_cast<size_t>(SumOf(sizes, ranks.size())));
    auto gather = ranks.StartAllGatherBytes(bytes, sizes, all, "gather");
    ASSERT_EQ(gather.status(), absl::OkStatus());
    const double start = Now();
    while (!(*gather)->Poll()) {
      ASSERT_LT(Now() - start, 60);
      std::this_thread::yield();
    }
    EXPECT_EQ(all, AllBytes(sizes));
    EXPECT_EQ((*gather)->Wait(), absl::OkStatus());
    EXPECT_EQ((*gather)->Wait(), absl::OkStatus()) << "a second time";
  });
}

void ExpectRefusedByName(const absl::Status& status) {
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("'far'"), HasSubstr("device")));
}

TEST(CommunicatorContract, WhatGoesOnElsewhereIsWaitedFor) {
  OnEveryRank([](Communicator& ranks) {
    int looks = 0;
    const auto third_time = [&looks]() -> absl::StatusOr<bool> { return ++looks == 3; };
    const auto fails = []() -> absl::StatusOr<bool> { return absl::DataLossError("gone"); };
    EXPECT_EQ(ranks.AwaitOther(third_time, NowMs(), "elsewhere"), absl::OkStatus());
    EXPECT_EQ(looks, 3);
    EXPECT_EQ(ranks.AwaitOther(fails, NowMs(), "elsewhere"), absl::DataLossError("gone"));
    EXPECT_EQ(ranks.Synchronize(), absl::OkStatus());
  });
}

TEST(CommunicatorContract, MemoryOfADeviceAndOfTheHostInOneOperationIsRefusedByName) {
  OnEveryRank([](Communicator& ranks) {
    const std::vector<int64_t> sizes(static_cast<size_t>(ranks.size()), 1);
    std::vector<float> floats(sizes.size());
    std::vector<std::byte> bytes(sizes.size()), more = bytes;
    const MemorySpan<float> far(floats.data(), std::ssize(floats), Memory::kDevice);
    const MemorySpan<std::byte> far_bytes(bytes.data(), std::ssize(bytes), Memory::kDevice);
    for (const absl::Status& status :
         {ranks.ReduceScatterSum(far, sizes, {floats.data(), 1}, "far"),
          ranks.ReduceScatterSum(floats, sizes, {floats.data(), 1, Memory::kDevice}, "far"),
          ranks.AllGatherBytes({bytes.data(), 1}, sizes, far_bytes, "far"),
          ranks.AllGatherBytes({bytes.data(), 1, Memory::kDevice}, sizes, bytes, "far"),
          ranks.ExchangeBytes(far_bytes, sizes, more, sizes, "far"),
          ranks.ExchangeBytes(more, sizes, far_bytes, sizes, "far")})
      ExpectRefusedByName(status);
    ASSERT_EQ(ranks.AllReduceSum(floats, "goes on"), absl::OkStatus());
  });
}

TEST(CommunicatorContract, MemoryOfADeviceIsRefusedByNameWhereItIsOutOfReach) {
  OnEveryRank([](Communicator& ranks) {
    EXPECT_TRUE(ranks.Reaches(Memory::kHost));
    if (ranks.Reaches(Memory::kDevice)) return;
    float value = 1;
    ExpectRefusedByName(ranks.AllReduceSum(MemorySpan<float>(&value, 1, Memory::kDevice), "far"));
  });
}

TEST(CommunicatorContract, PartsThatDoNotBelongTogetherAreRefusedBeforeAnythingIsSent) {
  OnEveryRank([](Communicator& ranks) {
    std::vector<int64_t> sizes(static_cast<size_t>(ranks.size()), 1);
    std::vector<float> floats(sizes.size()), one(1), two(2);
    EXPECT_TRUE(absl::IsInvalidArgument(ranks.ReduceScatterSum(floats, sizes, two, "sum")));
    EXPECT_TRUE(absl::IsInvalidArgument(ranks.ReduceScatterSum({floats.data(), 0}, sizes, one, "sum")));
    sizes.push_back(0);
    EXPECT_TRUE(absl::IsInvalidArgument(ranks.ReduceScatterSum(floats, sizes, one, "sum")));
    sizes.assign(sizes.size() - 1, -1);
    EXPECT_TRUE(absl::IsInvalidArgument(ranks.AllGatherBytes({}, sizes, {}, "bytes")));
    ASSERT_EQ(ranks.AllReduceSum(floats, "goes on"), absl::OkStatus());
  });
}

TEST(CommunicatorContract, AnExchangeOfPartsThatDoNotBelongTogetherIsRefusedBeforeAnythingIsSent) {
  OnEveryRank([](Communicator& ranks) {
    const size_t n = static_cast<size_t>(ranks.size());
    const std::vector<int64_t> ones(n, 1), fewer(n - 1, 1), more(n + 1, 1), twos(n, 2), negative(n, -1);
    const std::vector<std::byte> out(n);
    std::vector<std::byte> in(n), doubled(2 * n), none;
    EXPECT_TRUE(absl::IsInvalidArgument(ranks.ExchangeBytes(none, ones, in, ones, "too little")));
    EXPECT_TRUE(absl::IsInvalidArgument(ranks.ExchangeBytes(out, ones, doubled, ones, "too much room")));
    EXPECT_TRUE(absl::IsInvalidArgument(ranks.ExchangeBytes(out, ones, doubled, twos, "another own part")));
    EXPECT_TRUE(absl::IsInvalidArgument(ranks.ExchangeBytes(out, more, in, ones, "too many parts")));
    EXPECT_TRUE(absl::IsInvalidArgument(ranks.ExchangeBytes(out, ones, in, fewer, "too few parts")));
    EXPECT_TRUE(absl::IsInvalidArgument(ranks.ExchangeBytes(none, negative, none, negative, "less than nothing")));
    EXPECT_EQ(CountOf(ranks, Collective::kAllToAll).calls, 0);
    EXPECT_EQ(ranks.ExchangeBytes(out, ones, in, ones, "goes on"), absl::OkStatus());
  });
}

TEST(CommunicatorContract, RanksWithOtherSizesAreToldSo) {
  OnEveryRank([](Communicator& ranks) {
    if (ranks.size() == 1) return;
    std::vector<float> values(ranks.rank() == 0 ? 100 : 10);
    const absl::Status status = ranks.AllReduceSum(values, "unlike");
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("'unlike'"));
  });
}

TEST(CommunicatorContract, ARankThatExpectsAnotherPartOfAnExchangeIsToldSo) {
  OnEveryRank([](Communicator& ranks) {
    if (ranks.size() == 1) return;
    const std::vector<int64_t> sizes(static_cast<size_t>(ranks.size()), ranks.rank() == 0 ? 100 : 10);
    const std::vector<std::byte> outgoing(static_cast<size_t>(SumOf(sizes, ranks.size())));
    std::vector<std::byte> incoming(outgoing.size());
    const absl::Status status = ranks.ExchangeBytes(outgoing, sizes, incoming, sizes, "unlike");
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("'unlike'"));
  });
}

TEST(CommunicatorContract, BytesAreCountedWhereTheyAreSent) {
  OnEveryRank([](Communicator& ranks) {
    const std::vector<int64_t> sizes = UnevenSizes(ranks.size(), 1'000);
    const int64_t others = ranks.size() - 1, count = SumOf(sizes, ranks.size());
    const int64_t mine = sizes[static_cast<size_t>(ranks.rank())];
    std::vector<std::byte> all(static_cast<size_t>(count));
    ASSERT_EQ(ranks.AllGatherBytes(BytesOf(ranks.rank(), mine), sizes, all, "gather"), absl::OkStatus());
    EXPECT_EQ(CountOf(ranks, Collective::kAllGather).bytes, mine * others);
    std::vector<float> floats(all.size()), sum(static_cast<size_t>(mine));
    ASSERT_EQ(ranks.ReduceScatterSum(floats, sizes, sum, "scatter"), absl::OkStatus());
    EXPECT_EQ(CountOf(ranks, Collective::kReduceScatter).bytes, 4 * (count - mine));
    // Each rank its share to the others, and its share of the sum: 2 (N - 1) / N of the bytes.
    floats.resize(static_cast<size_t>(600'000 * ranks.size()));
    ASSERT_EQ(ranks.AllReduceSum(floats, "sum"), absl::OkStatus());
    EXPECT_EQ(CountOf(ranks, Collective::kAllReduce).bytes, 2 * 4 * 600'000 * others);
    Exchanged bytes(ranks, 1'000);
    const int64_t own = bytes.out_sizes[static_cast<size_t>(ranks.rank())];
    ASSERT_EQ(ranks.ExchangeBytes(bytes.outgoing, bytes.out_sizes, bytes.incoming, bytes.in_sizes, "exchange"),
              absl::OkStatus());
    EXPECT_EQ(CountOf(ranks, Collective::kAllToAll).bytes, std::ssize(bytes.outgoing) - own);
    EXPECT_STREQ(kCollectiveNames[static_cast<size_t>(Collective::kAllToAll)], "all_to_all");
    for (Collective counted :
         {Collective::kAllGather, Collective::kReduceScatter, Collective::kAllReduce, Collective::kAllToAll}) {
      EXPECT_EQ(CountOf(ranks, counted).calls, 1);
      if (others > 0) {
        EXPECT_GT(CountOf(ranks, counted).seconds, 0);
      }
    }
    EXPECT_EQ(CountOf(ranks, Collective::kBroadcast).calls, 0);
  });
}

TEST(CommunicatorContract, SecondsAreThoseThatARankSpendsAndNotWaitsForWork) {
  OnEveryRank([](Communicator& ranks) {
    if (ranks.size() == 1) return;
    std::string bytes = "work";
    if (ranks.rank() == 0) std::this_thread::sleep_for(milliseconds(500));
    ASSERT_EQ(ranks.AwaitRoot(&bytes, "wait"), absl::OkStatus());
    for (const CollectiveCount& count : ranks.counts()) EXPECT_EQ(count.seconds, 0);
    ASSERT_EQ(ranks.Barrier("start"), absl::OkStatus());
    const double before = CountOf(ranks, Collective::kBarrier).seconds;
    if (ranks.rank() == 0) std::this_thread::sleep_for(milliseconds(500));
    ASSERT_EQ(ranks.Barrier("end"), absl::OkStatus());
    const double waited = CountOf(ranks, Collective::kBarrier).seconds - before;
    if (ranks.rank() > 0) {
      EXPECT_GT(waited, 0.3);
    }
  });
}

}  // namespace
}  // namespace ridgeline
