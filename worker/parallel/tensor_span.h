// SPDX-License-Identifier: Apache-2.0
// The memory of tensors as a communicator takes it.
#pragma once

#include <ATen/core/Tensor.h>

#include "comm/communicator.h"

namespace ridgeline {

// All of a contiguous tensor's numbers, of which T is the type; it must outlive the span.
template <typename T>
MemorySpan<T> SpanOf(const at::Tensor& tensor) {
  const Memory memory = tensor.is_cpu() ? Memory::kHost : Memory::kDevice;
  return {static_cast<T*>(tensor.mutable_data_ptr()), tensor.numel(), memory};
}

}  // namespace ridgeline
