// SPDX-License-Identifier: Apache-2.0
// What offsets add to a product: included once for each instruction set.
#if defined(RIDGELINE_QUANT_PACKED_SUM_OF_BASES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef RIDGELINE_QUANT_PACKED_SUM_OF_BASES_INL_H_
#undef RIDGELINE_QUANT_PACKED_SUM_OF_BASES_INL_H_
#else
#define RIDGELINE_QUANT_PACKED_SUM_OF_BASES_INL_H_
#endif

#include <hwy/highway.h>

#include "quant/packed/packed_operands.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

// What offsets of weights and of inputs add to the product with input c, `stride` apart from segment to segment.
template <typename Stride>
HWY_INLINE float SumOfBases(const PackedRow& row, const PackedInputs& inputs, int64_t c, Stride stride) {
  const int64_t segments = inputs.segments;
  float sum = 0;
  if (row.bases != nullptr) {
    const float* HWY_RESTRICT sums = inputs.sums + c * inputs.input_stride;
#pragma omp simd reduction(+ : sum)
    for (int64_t s = 0; s < segments; ++s) sum += row.bases[s] * sums[s * stride];
  }
  if (inputs.bases == nullptr) return sum;
  const float* HWY_RESTRICT bases = inputs.bases + c * inputs.input_stride;
#pragma omp simd reduction(+ : sum)
  for (int64_t s = 0; s < segments; ++s) sum += row.scales[s] * bases[s * stride] * row.sums[s];
  return sum;
}

HWY_INLINE float SumOfBases(const PackedRow& row, const PackedInputs& inputs, int64_t c) {
  if (inputs.segment_stride == 1) return SumOfBases(row, inputs, c, std::integral_constant<int64_t, 1>());
  return SumOfBases(row, inputs, c, inputs.segment_stride);
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#endif  // RIDGELINE_QUANT_PACKED_SUM_OF_BASES_INL_H_
