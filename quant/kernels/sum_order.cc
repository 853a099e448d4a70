// SPDX-License-Identifier: Apache-2.0
#include "quant/kernels/sum_order.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/kernels/sum_order.cc"
#include <hwy/foreach_target.h>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace ridgeline {
namespace HWY_NAMESPACE {

int64_t LanesOfTarget() {
  constexpr bool kFusesX86 = HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL;
  return kFusesX86 ? static_cast<int64_t>(hwy::HWY_NAMESPACE::Lanes(hwy::HWY_NAMESPACE::ScalableTag<float>())) : 0;
}

}  // namespace HWY_NAMESPACE
}  // namespace ridgeline
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ridgeline {

HWY_EXPORT(LanesOfTarget);
int64_t LanesOfSums() { return HWY_DYNAMIC_DISPATCH(LanesOfTarget)(); }

}  // namespace ridgeline
#endif  // HWY_ONCE
