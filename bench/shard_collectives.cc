// SPDX-License-Identifier: Apache-2.0
#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <span>

#include "bench/shard_parts.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

// Of the whole: a rank has an even share of it.
constexpr int64_t kFloats[] = {2'000, 100'000, 1'000'000, 16'000'000};

int RoundsOf(int64_t floats) { return static_cast<int>(std::clamp<int64_t>(100'000'000 / floats, 10, 1'000)); }

absl::StatusOr<double> SecondsOf(const std::function<absl::Status()>& work) {
  MPI_Barrier(MPI_COMM_WORLD);
  const auto start = std::chrono::steady_clock::now();
  RETURN_IF_ERROR(work());
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  MPI_Allreduce(MPI_IN_PLACE, &seconds, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
  return seconds;
}

// One rank's numbers, what both sides make of them, and the even parts in floats and bytes.
struct Work {
  Work(const Communicator& ranks, int64_t floats) {
    for (int64_t rank = 0; rank < ranks.size(); ++rank) {
      const int64_t begin = rank * floats / ranks.size(), end = (rank + 1) * floats / ranks.size();
      sizes.push_back(end - begin);
      byte_sizes.push_back(4 * (end - begin));
      int_sizes.push_back(static_cast<int>(end - begin));
      offsets.push_back(static_cast<int>(begin));
    }
    mine = sizes[static_cast<size_t>(ranks.rank())];
    in_bytes.assign(sizes.size(), 4 * mine);
    in_sizes.assign(sizes.size(), static_cast<int>(mine));
    for (int64_t rank = 0; rank < ranks.size(); ++rank) in_offsets.push_back(static_cast<int>(rank * mine));
    // Wholes, whose sums are exact in any order.
    for (int64_t i = 0; i < floats; ++i) values.push_back(static_cast<float>((i + 7 * ranks.rank()) % 1'000));
    ours.resize(std::max(values.size(), static_cast<size_t>(mine * ranks.size())));
    theirs = ours;
  }
  std::span<const float> part() const { return std::span(values).first(static_cast<size_t>(mine)); }

  int64_t mine = 0;
  std::vector<int64_t> sizes, byte_sizes, in_bytes;
  std::vector<int> int_sizes, offsets, in_sizes, in_offsets;
  std::vector<float> values, ours, theirs;
};

struct Operation {
  const char* name;
  std::function<absl::Status(Communicator&, Work&)> ours;
  std::function<int(Work&, MPI_Request*)> start_theirs;
};

const Operation kOperations[] = {
    {"all_gather",
     [](Communicator& ranks, Work& work) {
       const std::span all(work.ours.data(), work.values.size());
       return ranks.AllGatherBytes(std::as_bytes(work.part()), work.byte_sizes, std::as_writable_bytes(all), "bench");
     },
     [](Work& work, MPI_Request* request) {
       return MPI_Iallgatherv(work.values.data(), static_cast<int>(work.mine), MPI_FLOAT, work.theirs.data(),
                              work.int_sizes.data(), work.offsets.data(), MPI_FLOAT, MPI_COMM_WORLD, request);
     }},
    {"all_to_all",
     [](Communicator& ranks, Work& work) {
       const std::span incoming(work.ours.data(), work.in_sizes.size() * static_cast<size_t>(work.mine));
       return ranks.ExchangeBytes(std::as_bytes(std::span(work.values)), work.byte_sizes,
                                  std::as_writable_bytes(incoming), work.in_bytes, "bench");
     },
     [](Work& work, MPI_Request* request) {
       return MPI_Ialltoallv(work.values.data(), work.int_sizes.data(), work.offsets.data(), MPI_FLOAT,
                             work.theirs.data(), work.in_sizes.data(), work.in_offsets.data(), MPI_FLOAT,
                             MPI_COMM_WORLD, request);
     }},
    {"reduce_scatter",
     [](Communicator& ranks, Work& work) {
       return ranks.ReduceScatterSum(work.values, work.sizes, {work.ours.data(), work.mine}, "bench");
     },
     [](Work& work, MPI_Request* request) {
       return MPI_Ireduce_scatter(work.values.data(), work.theirs.data(), work.int_sizes.data(), MPI_FLOAT, MPI_SUM,
                                  MPI_COMM_WORLD, request);
     }},
    {"all_reduce",
     // In place, as gradients are summed; the numbers are put there first, on both sides.
     [](Communicator& ranks, Work& work) {
       std::memcpy(work.ours.data(), work.values.data(), work.values.size() * sizeof(float));
       return ranks.AllReduceSum({work.ours.data(), std::ssize(work.values)}, "bench");
     },
     [](Work& work, MPI_Request* request) {
       std::memcpy(work.theirs.data(), work.values.data(), work.values.size() * sizeof(float));
       return MPI_Iallreduce(MPI_IN_PLACE, work.theirs.data(), static_cast<int>(work.values.size()), MPI_FLOAT, MPI_SUM,
                             MPI_COMM_WORLD, request);
     }},
};

absl::Status RunTheirs(const Operation& operation, Work& work) {
  MPI_Request request = MPI_REQUEST_NULL;
  const bool ok =
      operation.start_theirs(work, &request) == MPI_SUCCESS && MPI_Wait(&request, MPI_STATUS_IGNORE) == MPI_SUCCESS;
  return ok ? absl::OkStatus() : absl::InternalError(fmt::format("MPI's {} failed", operation.name));
}

absl::StatusOr<std::vector<std::string>> RowOf(const Operation& operation, Communicator& ranks, int64_t floats) {
  Work work(ranks, floats);
  ASSIGN_OR_RETURN(const BestSeconds best,
                   MeasureTogether([&] { return operation.ours(ranks, work); },
                                   [&] { return RunTheirs(operation, work); }, RoundsOf(floats)));
  if (work.ours != work.theirs)
    return absl::InternalError(fmt::format("{} of {} floats: comm/ and MPI differ", operation.name, floats));
  return std::vector<std::string>{operation.name, fmt::format("{}", floats), fmt::format("{:.1f}", best.ours * 1e6),
                                  fmt::format("{:.1f}", best.peer * 1e6), fmt::format("{:.2f}", best.peer / best.ours)};
}

}  // namespace

absl::StatusOr<BestSeconds> MeasureTogether(const std::function<absl::Status()>& ours,
                                            const std::function<absl::Status()>& peer, int rounds) {
  BestSeconds best{std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
  for (int round = 0; round < rounds; ++round) {
    ASSIGN_OR_RETURN(const double first, SecondsOf(round % 2 == 0 ? ours : peer));
    ASSIGN_OR_RETURN(const double second, SecondsOf(round % 2 == 0 ? peer : ours));
    best.ours = std::min(best.ours, round % 2 == 0 ? first : second);
    best.peer = std::min(best.peer, round % 2 == 0 ? second : first);
  }
  return best;
}

absl::StatusOr<BenchTable> MeasureCollectives(Communicator& ranks) {
  BenchTable table{{"operation", "floats", "ours_us", "mpi_us", "ratio"}, {}};
  for (const Operation& operation : kOperations)
    for (int64_t floats : kFloats) {
      ASSIGN_OR_RETURN(table.rows.emplace_back(), RowOf(operation, ranks, floats));
    }
  return table;
}

}  // namespace ridgeline
