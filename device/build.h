// SPDX-License-Identifier: Apache-2.0
// Whether this build computes on GPUs: CMake defines the macro where it does.
#pragma once

#ifndef RIDGELINE_WITH_CUDA
#define RIDGELINE_WITH_CUDA 0
#endif

namespace ridgeline {

inline constexpr bool kBuiltWithCuda = RIDGELINE_WITH_CUDA != 0;

}  // namespace ridgeline
