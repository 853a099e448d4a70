// SPDX-License-Identifier: Apache-2.0
// Scratch blocks of kernels.
#pragma once

#include <hwy/aligned_allocator.h>

#include <cstdint>

namespace ridgeline {

// Room for `length` numbers, aligned for vectors and kept by each thread. The pointer holds until the thread's next
// call.
template <typename T>
T* Scratch(int64_t length) {
  thread_local hwy::AlignedFreeUniquePtr<T[]> scratch;
  thread_local int64_t capacity = 0;
  if (capacity < length) {
    scratch = hwy::AllocateAligned<T>(static_cast<size_t>(length));
    for (int64_t i = 0; i < length; ++i) scratch[static_cast<size_t>(i)] = T(0);
    capacity = length;
  }
  return scratch.get();
}

}  // namespace ridgeline
