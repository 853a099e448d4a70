// SPDX-License-Identifier: Apache-2.0
// Arrays whose type is known at run time, so that kernels are compiled once for all types: block math is in float.
#pragma once

#include <cstdint>
#include <type_traits>

#include "quant/cuda/host_device.h"
#include "quant/kernels/numbers.h"

namespace ridgeline::cuda {

// Four numbers that are loaded and stored by one instruction.
template <typename T>
struct alignas(4 * sizeof(T)) Vector {
  T numbers[4];
};

// Numbers to be read, or, of MutableArray, to be written. They stay the caller's.
template <bool kMutable>
class NumberArray {
 public:
  template <typename T>
  using Pointer = std::conditional_t<kMutable, T*, const T*>;

  NumberArray(Pointer<float> numbers) : numbers_(numbers) {}                         // NOLINT: implicit on purpose
  NumberArray(Pointer<BFloat16> numbers) : numbers_(numbers), is_bfloat16_(true) {}  // NOLINT

  // Calls function(pointer to number `begin`), as what it is.
  template <class Function>
  RIDGELINE_HOST_DEVICE void Visit(int64_t begin, const Function& function) const {
    if (is_bfloat16_)
      function(static_cast<Pointer<BFloat16>>(numbers_) + begin);
    else
      function(static_cast<Pointer<float>>(numbers_) + begin);
  }

  // Whether vectors may be read and written at its begin.
  bool is_aligned() const {
    const uintptr_t alignment = is_bfloat16_ ? alignof(Vector<BFloat16>) : alignof(Vector<float>);
    return reinterpret_cast<uintptr_t>(numbers_) % alignment == 0;
  }

 private:
  Pointer<void> numbers_;
  bool is_bfloat16_ = false;
};

using ConstArray = NumberArray<false>;
using MutableArray = NumberArray<true>;

}  // namespace ridgeline::cuda
