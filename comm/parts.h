// SPDX-License-Identifier: Apache-2.0
// How ranks divide what they exchange, for all backends.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"

namespace ridgeline {

// Where each part begins, if they lie one after the other.
std::vector<int64_t> OffsetsOf(std::span<const int64_t> sizes);

// `count` in parts that differ by at most one.
std::vector<int64_t> EvenShares(int64_t count, int64_t ranks);

// Which rank of how many.
struct RankOf {
  int rank = 0;
  int size = 1;
};

// INVALID_ARGUMENT unless there is a part for each rank, `mine` for this one, and together they are `whole`.
absl::Status CheckParts(int64_t whole, std::span<const int64_t> sizes, int64_t mine, RankOf self, const char* what);

// The same of an exchange's two sides, whose sums are `outgoing` and `incoming`: what this rank has for itself is what
// it expects of itself.
absl::Status CheckExchange(int64_t outgoing, std::span<const int64_t> out_sizes, int64_t incoming,
                           std::span<const int64_t> in_sizes, RankOf self, const char* what);

}  // namespace ridgeline
