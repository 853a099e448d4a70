// SPDX-License-Identifier: Apache-2.0
// The one order in which values of ranks are added.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

namespace ridgeline {

// sum[i] = ((parts[0][i] + parts[1][i]) + parts[2][i]) + ... for i < count. `sum` may be one of the parts.
template <typename T>
void SumInRankOrder(std::span<const T* const> parts, int64_t count, T* sum) {
  constexpr int64_t kBlock = 1024;  // Stays in the first-level cache.
  std::array<T, kBlock> total;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const int64_t length = std::min(kBlock, count - begin);
    std::copy_n(parts[0] + begin, length, total.data());
    for (const T* part : parts.subspan(1))
      for (int64_t i = 0; i < length; ++i) total[static_cast<size_t>(i)] += part[begin + i];
    std::copy_n(total.data(), length, sum + begin);
  }
}

}  // namespace ridgeline
