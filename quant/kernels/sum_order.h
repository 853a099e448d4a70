// SPDX-License-Identifier: Apache-2.0
// In which order this machine's kernels add the numbers of a block, for those who have to make the same bits by other
// means.
#pragma once

#include <cstdint>

namespace ridgeline {

// Lanes of a vector of floats, 8 or 16, where products are added with one rounding; 0 for a machine whose kernels have
// shorter vectors or round products first. The same for the life of the program; any thread.
int64_t LanesOfSums();

}  // namespace ridgeline
