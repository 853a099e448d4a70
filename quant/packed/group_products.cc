// SPDX-License-Identifier: Apache-2.0
// Few inputs times sparse groups whose joint codes are fields of bits: the products of each two groups with an input
// are made beforehand for all codes that two groups can have, and a row is lookups and additions.
#include <algorithm>
#include <cstring>

#include "quant/packed/row_products.h"

namespace ridgeline {
namespace {

template <typename Entry>
int32_t SumOfPairs(const uint8_t* codes, int bits, const Entry* table) {
  uint64_t rest = 0;
  std::memcpy(&rest, codes, sizeof(rest));  // Of which higher ones may belong to other groups.
  const uint64_t mask = (uint64_t{1} << bits) - 1;
  int32_t sum = 0;
  for (int64_t pair = 0; pair < kPairsAtOnce; ++pair, rest >>= bits) sum += table[(pair << bits) + (rest & mask)];
  return sum;
}

template <typename Entry>
float GroupProduct(const PackedRow& row, const PackedInputs& inputs, int64_t c) {
  const int bits = inputs.codes.bits;
  const int64_t features_at_once = kPairsAtOnce * inputs.codes.pair, all = inputs.features / features_at_once;
  const int64_t of_segment = inputs.segment / features_at_once;
  const auto* codes = static_cast<const uint8_t*>(row.numbers);
  const auto* tables = static_cast<const Entry*>(inputs.arranged) + ((c * all * kPairsAtOnce) << bits);
  float total = 0;
  for (int64_t s = 0; s < inputs.segments; ++s) {
    int32_t sum = 0;
    for (int64_t k = s * of_segment; k < std::min(all, (s + 1) * of_segment); ++k)
      sum += SumOfPairs(codes + k * bits, bits, tables + ((k * kPairsAtOnce) << bits));
    total += row.scales[s] * inputs.scale(s, c) * static_cast<float>(sum);
    if (row.bases != nullptr) total += row.bases[s] * inputs.sums[s * inputs.segment_stride + c * inputs.input_stride];
  }
  return total;
}

template <typename Entry>
void Products(std::span<const PackedRow> rows, const PackedInputs& inputs, float* y, int64_t stride) {
  for (size_t r = 0; r < rows.size(); ++r)
    for (int64_t c = 0; c < inputs.count; ++c)
      y[c * stride + static_cast<int64_t>(r)] = GroupProduct<Entry>(rows[r], inputs, c);
}

}  // namespace

void GroupProducts(std::span<const PackedRow> rows, const PackedInputs& inputs, float* y, int64_t stride) {
  inputs.input_bytes == 2 ? Products<int16_t>(rows, inputs, y, stride) : Products<int32_t>(rows, inputs, y, stride);
}

}  // namespace ridgeline
