// SPDX-License-Identifier: Apache-2.0
// What this build computes on.
#pragma once

namespace ridgeline {

// Whether its worker computes on GPUs: CMake defines RIDGELINE_WITH_CUDA as 1 for build.cc where it does.
bool BuiltWithCuda();

// The CUDA that such a build runs on, as drivers count it: 13.0.
inline constexpr int kCudaOfBuild = 13000;

}  // namespace ridgeline
