// SPDX-License-Identifier: Apache-2.0
#include "device/build.h"

#ifndef RIDGELINE_WITH_CUDA
#define RIDGELINE_WITH_CUDA 0
#endif

namespace ridgeline {

bool BuiltWithCuda() { return RIDGELINE_WITH_CUDA != 0; }

}  // namespace ridgeline
