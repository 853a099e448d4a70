// SPDX-License-Identifier: Apache-2.0
// The contract between the ranks of an MPI job: tests/shard/communicator_test.py starts it under mpirun.
#include <gtest/gtest.h>
#include <mpi.h>

#include <algorithm>
#include <string>
#include <vector>

#include "comm/contract_test.h"
#include "comm/mpi/mpi_communicator.h"

namespace ridgeline {

// In parts of the usual length, and of one that cuts nearly every message unevenly; time-outs, which take their time,
// do not depend on it.
void OnEveryRank(const std::function<void(Communicator&)>& body, int64_t timeout_ms) {
  for (int64_t max_bytes_per_call : {kMaxBytesPerMpiCall, int64_t{4'099}}) {
    const auto ranks = MakeMpiCommunicator(
        timeout_ms, [] { return false; }, max_bytes_per_call);
    body(*ranks);
    MPI_Barrier(MPI_COMM_WORLD);
    if (timeout_ms == kShortTimeoutMs) return;
  }
}

namespace {

// More bytes than an int counts, with an end of its own.
constexpr int64_t kManyBytes = (int64_t{1} << 31) + 5;

TEST(ManyBytes, AreBroadcastWhole) {
  const auto ranks = MakeMpiCommunicator(kLongTimeoutMs, [] { return false; });
  std::string bytes;
  if (ranks->rank() == 0) {
    bytes.assign(kManyBytes, 'a');
    bytes.back() = 'z';
  }
  ASSERT_EQ(ranks->BroadcastFromRoot(&bytes, "many"), absl::OkStatus());
  ASSERT_EQ(std::ssize(bytes), kManyBytes);
  EXPECT_EQ(bytes.find_first_not_of('a'), kManyBytes - 1);
  EXPECT_EQ(bytes.back(), 'z');
}

TEST(ManyBytes, AreExchangedWhole) {
  const auto ranks = MakeMpiCommunicator(kLongTimeoutMs, [] { return false; });
  const int last = ranks->size() - 1;
  const bool sends = ranks->rank() == 0, receives = ranks->rank() == last;
  // Rank 0 has them for the last one.
  std::vector<int64_t> out_sizes(static_cast<size_t>(ranks->size()), 0), in_sizes = out_sizes;
  if (sends) out_sizes.back() = kManyBytes;
  if (receives) in_sizes.front() = kManyBytes;
  std::string outgoing(sends ? kManyBytes : 0, 'a'), incoming(receives ? kManyBytes : 0, 'b');
  if (sends) outgoing.back() = 'z';
  ASSERT_EQ(ranks->ExchangeBytes(std::as_bytes(std::span(outgoing)), out_sizes,
                                 std::as_writable_bytes(std::span(incoming)), in_sizes, "many"),
            absl::OkStatus());
  if (!receives) return;
  EXPECT_EQ(incoming.find_first_not_of('a'), kManyBytes - 1);
  EXPECT_EQ(incoming.back(), 'z');
}

TEST(ManyBytes, AreGatheredAndSummedAtTheirPlaces) {
  const auto ranks = MakeMpiCommunicator(kLongTimeoutMs, [] { return false; });
  const int64_t count = kManyBytes / 4 + 1;  // More bytes than that, too.
  std::vector<float> values(static_cast<size_t>(count), 1);
  values.back() = 2;
  // All of it is rank 0's part, but for the last value.
  std::vector<int64_t> sizes(static_cast<size_t>(ranks->size()), 0);
  sizes.front() = count - 1;
  sizes.back() += 1;
  const int64_t mine = sizes[static_cast<size_t>(ranks->rank())];
  const MemorySpan<float> part(values.data() + (ranks->rank() == 0 ? 0 : count - 1), mine);
  ASSERT_EQ(ranks->ReduceScatterSum(values, sizes, part, "many"), absl::OkStatus());
  for (int64_t& size : sizes) size *= 4;
  ASSERT_EQ(ranks->AllGatherBytes({reinterpret_cast<std::byte*>(part.data()), 4 * mine}, sizes,
                                  {reinterpret_cast<std::byte*>(values.data()), 4 * count}, "many"),
            absl::OkStatus());
  const float n = static_cast<float>(ranks->size());
  EXPECT_EQ(std::count(values.begin(), values.end() - 1, n), count - 1);
  EXPECT_EQ(values.back(), 2 * n);
}

}  // namespace
}  // namespace ridgeline

int main(int argc, char** argv) {
  int provided = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  testing::InitGoogleTest(&argc, argv);
  const int failed = RUN_ALL_TESTS();
  MPI_Finalize();
  return failed;
}
