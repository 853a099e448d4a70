// SPDX-License-Identifier: Apache-2.0
#include "worker/train/freed_memory.h"

#include <limits>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace ridgeline {

#if defined(__GLIBC__)
void KeepFreedMemory() {
  constexpr int kFromSystemBytes = 32 << 20;
  mallopt(M_MMAP_THRESHOLD, kFromSystemBytes);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
}
void ReturnFreedMemory() { malloc_trim(0); }
#else
void KeepFreedMemory() {}
void ReturnFreedMemory() {}
#endif

}  // namespace ridgeline
