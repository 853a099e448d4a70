// SPDX-License-Identifier: Apache-2.0
#include "quant/packed/row_products.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/packed/row_products.cc"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

#include "quant/packed/sum_of_bases-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Adds a segment's products with kInputs rows of x, `stride` apart, to what was added before: lane by lane, and what is
// left of the segment behind full vectors to `rest`. Weights are widened once for all inputs, and lanes are summed once
// a row.
template <int kInputs>
struct RowSums {
  const hn::ScalableTag<float> d;
  hn::Vec<hn::ScalableTag<float>> lanes[kInputs];
  float rest[kInputs];

  HWY_INLINE RowSums() {
    for (int c = 0; c < kInputs; ++c) {
      lanes[c] = hn::Zero(d);
      rest[c] = 0;
    }
  }

  // scales[c]: of weights and of input c.
  HWY_INLINE void Add(const int8_t* HWY_RESTRICT w, const int16_t* HWY_RESTRICT x, int64_t stride, int64_t n,
                      const float* scales) {
    int64_t i = 0;
#if HWY_TARGET != HWY_SCALAR  // Which has no two numbers to add in a vector.
    const hn::RebindToSigned<decltype(d)> d32;
    const hn::Repartition<int16_t, decltype(d32)> d16;
    const hn::Rebind<int8_t, decltype(d16)> d8;
    const auto step = static_cast<int64_t>(hn::Lanes(d16));
    // Two chains of each: an addition is waited for. The last is for where pairs are not added at once.
    hn::Vec<decltype(d32)> even[kInputs], odd[kInputs], others[kInputs];
    for (int c = 0; c < kInputs; ++c) even[c] = odd[c] = others[c] = hn::Zero(d32);
    for (; i + 2 * step <= n; i += 2 * step) {
      const auto a = hn::PromoteTo(d16, hn::LoadU(d8, w + i)), b = hn::PromoteTo(d16, hn::LoadU(d8, w + i + step));
      for (int c = 0; c < kInputs; ++c) {
        const int16_t* from = x + c * stride + i;
        even[c] = hn::ReorderWidenMulAccumulate(d32, a, hn::LoadU(d16, from), even[c], others[c]);
        odd[c] = hn::ReorderWidenMulAccumulate(d32, b, hn::LoadU(d16, from + step), odd[c], others[c]);
      }
    }
    for (int c = 0; c < kInputs; ++c) {
      const auto sum = hn::ConvertTo(d, hn::Add(hn::Add(even[c], odd[c]), others[c]));
      lanes[c] = hn::MulAdd(sum, hn::Set(d, scales[c]), lanes[c]);
    }
#endif
    for (int c = 0; c < kInputs && i < n; ++c) {
      int32_t sum = 0;
      for (int64_t k = i; k < n; ++k) sum += w[k] * x[c * stride + k];
      rest[c] += scales[c] * static_cast<float>(sum);
    }
  }

  HWY_INLINE float Sum(int c) const { return hn::GetLane(hn::SumOfLanes(d, lanes[c])) + rest[c]; }
};

// A row times kInputs rows of x from the first on.
template <int kInputs>
HWY_INLINE void ProductsOf(const PackedRow& row, const PackedInputs& inputs, int64_t first, float* y, int64_t stride) {
  RowSums<kInputs> sums;
  const auto* wholes = static_cast<const int8_t*>(row.numbers);
  const int64_t segments = inputs.segments;
  float scales[kInputs];
  for (int64_t s = 0; s < segments; ++s) {
    const int64_t begin = s * inputs.segment, n = std::min(inputs.segment, inputs.features - begin);
    for (int c = 0; c < kInputs; ++c) scales[c] = row.scales[s] * inputs.scale(s, first + c);
    sums.Add(wholes + begin, inputs.wholes + first * inputs.wholes_stride + begin, inputs.wholes_stride, n, scales);
  }
  for (int c = 0; c < kInputs; ++c) y[(first + c) * stride] = sums.Sum(c) + SumOfBases(row, inputs, first + c);
}

// Inputs are taken four at a time through all rows, so that they lie in the innermost cache for all but the first.
void RowProductsOfTarget(std::span<const PackedRow> rows, const PackedInputs& inputs, float* y, int64_t stride) {
  constexpr int kAtOnce = 4;
  int64_t c = 0;
  for (; c + kAtOnce <= inputs.count; c += kAtOnce)
    for (size_t r = 0; r < rows.size(); ++r) ProductsOf<kAtOnce>(rows[r], inputs, c, y + r, stride);
  for (; c < inputs.count; ++c)
    for (size_t r = 0; r < rows.size(); ++r) ProductsOf<1>(rows[r], inputs, c, y + r, stride);
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline {

HWY_EXPORT(RowProductsOfTarget);

void RowProducts(std::span<const PackedRow> rows, const PackedInputs& inputs, float* y, int64_t stride) {
  HWY_DYNAMIC_DISPATCH(RowProductsOfTarget)(rows, inputs, y, stride);
}

namespace {

float ProductOf_ref(const PackedRow& row, const PackedInputs& inputs, int64_t c) {
  double sum = 0;
  for (int64_t i = 0; i < inputs.features; ++i) {
    const int64_t s = i / inputs.segment, at = s * inputs.segment_stride + c * inputs.input_stride;
    const double base = row.bases == nullptr ? 0 : row.bases[s];
    const double w = static_cast<double>(row.scales[s]) * static_cast<const int8_t*>(row.numbers)[i] + base;
    double x = static_cast<double>(inputs.scales[at]) * inputs.wholes[c * inputs.wholes_stride + i];
    if (inputs.bases != nullptr) x += inputs.bases[at];
    sum += w * x;
  }
  return static_cast<float>(sum);
}

}  // namespace

void RowProducts_ref(std::span<const PackedRow> rows, const PackedInputs& inputs, float* y, int64_t stride) {
  for (int64_t c = 0; c < inputs.count; ++c)
    for (size_t r = 0; r < rows.size(); ++r)
      y[c * stride + static_cast<int64_t>(r)] = ProductOf_ref(rows[r], inputs, c);
}

}  // namespace ridgeline
#endif  // HWY_ONCE
