// SPDX-License-Identifier: Apache-2.0
#include "quant/kernels/hadamard.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/kernels/hadamard.cc"
#include <hwy/foreach_target.h>

#include "quant/kernels/hadamard-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

void HadamardF32(const float* x, int64_t n, float* y) { Rotate(x, n, RotationFactor<float>(n), y); }
void HadamardF64(const double* x, int64_t n, double* y) { Rotate(x, n, RotationFactor<double>(n), y); }

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline {

HWY_EXPORT(HadamardF32);
HWY_EXPORT(HadamardF64);

void Hadamard(const float* x, int64_t n, float* y) { HWY_DYNAMIC_DISPATCH(HadamardF32)(x, n, y); }
void Hadamard(const double* x, int64_t n, double* y) { HWY_DYNAMIC_DISPATCH(HadamardF64)(x, n, y); }

}  // namespace ridgeline
#endif  // HWY_ONCE
