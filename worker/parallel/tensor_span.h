// SPDX-License-Identifier: Apache-2.0
// The memory of tensors as a communicator takes it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>

#include "comm/communicator.h"

namespace ridgeline {

inline Memory MemoryOf(const at::Tensor& tensor) { return tensor.is_cpu() ? Memory::kHost : Memory::kDevice; }

// All of a contiguous tensor's numbers, of which T is the type; it must outlive the span.
template <typename T>
MemorySpan<T> SpanOf(const at::Tensor& tensor) {
  return {static_cast<T*>(tensor.mutable_data_ptr()), tensor.numel(), MemoryOf(tensor)};
}

// Their bytes, whatever they are.
inline MemorySpan<std::byte> BytesOf(const at::Tensor& tensor) {
  return {static_cast<std::byte*>(tensor.mutable_data_ptr()), static_cast<int64_t>(tensor.nbytes()), MemoryOf(tensor)};
}

}  // namespace ridgeline
