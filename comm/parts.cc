// SPDX-License-Identifier: Apache-2.0
#include "comm/parts.h"

#include <algorithm>
#include <numeric>

#include "common/status_macros.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

// This rank's of them; -1, which is no size, where there are too few.
int64_t OwnOf(std::span<const int64_t> sizes, RankOf self) {
  return self.rank < std::ssize(sizes) ? sizes[static_cast<size_t>(self.rank)] : -1;
}

}  // namespace

std::vector<int64_t> OffsetsOf(std::span<const int64_t> sizes) {
  std::vector<int64_t> offsets(sizes.size());
  std::exclusive_scan(sizes.begin(), sizes.end(), offsets.begin(), int64_t{0});
  return offsets;
}

std::vector<int64_t> EvenShares(int64_t count, int64_t ranks) {
  std::vector<int64_t> sizes;
  for (int64_t rank = 0; rank < ranks; ++rank) sizes.push_back((rank + 1) * count / ranks - rank * count / ranks);
  return sizes;
}

absl::Status CheckParts(int64_t whole, std::span<const int64_t> sizes, int64_t mine, RankOf self, const char* what) {
  const bool fits = std::ssize(sizes) == self.size && OwnOf(sizes, self) == mine &&
                    std::all_of(sizes.begin(), sizes.end(), [](int64_t size) { return size >= 0; }) &&
                    std::accumulate(sizes.begin(), sizes.end(), int64_t{0}) == whole;
  if (fits) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("collective '{}': {} in parts of {} is not what {} ranks share, of which rank {} has {}", what, whole,
                  fmt::join(sizes, ", "), self.size, self.rank, mine));
}

absl::Status CheckExchange(int64_t outgoing, std::span<const int64_t> out_sizes, int64_t incoming,
                           std::span<const int64_t> in_sizes, RankOf self, const char* what) {
  RETURN_IF_ERROR(CheckParts(outgoing, out_sizes, OwnOf(in_sizes, self), self, what));
  return CheckParts(incoming, in_sizes, OwnOf(out_sizes, self), self, what);
}

}  // namespace ridgeline
