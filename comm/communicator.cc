// SPDX-License-Identifier: Apache-2.0
#include "comm/communicator.h"

#include "common/status_macros.h"

namespace ridgeline {

absl::Status Communicator::ReduceScatterSum(MemorySpan<const float> values, std::span<const int64_t> sizes,
                                            MemorySpan<float> sum, const char* what) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Pending> pending, StartReduceScatterSum(values, sizes, sum, what));
  return pending->Wait();
}

absl::Status Communicator::AllGatherBytes(MemorySpan<const std::byte> mine, std::span<const int64_t> sizes,
                                          MemorySpan<std::byte> all, const char* what) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Pending> pending, StartAllGatherBytes(mine, sizes, all, what));
  return pending->Wait();
}

absl::Status Communicator::ExchangeBytes(MemorySpan<const std::byte> outgoing, std::span<const int64_t> out_sizes,
                                         MemorySpan<std::byte> incoming, std::span<const int64_t> in_sizes,
                                         const char* what) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Pending> pending,
                   StartExchangeBytes(outgoing, out_sizes, incoming, in_sizes, what));
  return pending->Wait();
}

bool IsGroupLost(const absl::Status& status) { return absl::IsDeadlineExceeded(status) || absl::IsUnavailable(status); }

}  // namespace ridgeline
