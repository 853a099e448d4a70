// SPDX-License-Identifier: Apache-2.0
// Working memory of kernels.
#pragma once

#include <hwy/aligned_allocator.h>

#include <cstdint>

namespace ridgeline {

// Room for `length` numbers, aligned for vectors and kept by each thread. The pointer holds until the thread's next
// call.
template <typename T>
T* WorkspaceOf(int64_t length) {
  thread_local hwy::AlignedFreeUniquePtr<T[]> numbers;
  thread_local int64_t capacity = 0;
  if (capacity < length) {
    numbers = hwy::AllocateAligned<T>(static_cast<size_t>(length));
    for (int64_t i = 0; i < length; ++i) numbers[static_cast<size_t>(i)] = T(0);
    capacity = length;
  }
  return numbers.get();
}

}  // namespace ridgeline
