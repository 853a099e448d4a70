// SPDX-License-Identifier: Apache-2.0
// Whether this build computes on GPUs: CMake defines the macro where it does.
#pragma once

#ifndef RIDGELINE_WITH_CUDA
#define RIDGELINE_WITH_CUDA 0
#endif

namespace ridgeline {

inline constexpr bool kBuiltWithCuda = RIDGELINE_WITH_CUDA != 0;

// The CUDA that such a build runs on, as drivers count it: 13.0.
inline constexpr int kCudaOfBuild = 13000;

}  // namespace ridgeline
