// SPDX-License-Identifier: Apache-2.0
// What this process holds of the machine's memory.
#pragma once

#include <cstdint>

namespace ridgeline {

// Bytes in use now (the resident set), not the peak; 0 where the system does not say.
int64_t ResidentBytes();

}  // namespace ridgeline
