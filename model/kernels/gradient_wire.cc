// SPDX-License-Identifier: Apache-2.0
#include "model/kernels/gradient_wire.h"

#include <algorithm>

namespace ridgeline {
namespace {

// Whole blocks of what is widened on its way, in the innermost cache.
constexpr int64_t kWidenedAtOnce = 8 * kWireBlock;

int64_t BlocksOf(int64_t count) { return (count + kWireBlock - 1) / kWireBlock; }

}  // namespace

GradientDtype GradientDtypeNamed(std::string_view name) {
  return name == "int8"       ? GradientDtype::kInt8
         : name == "bfloat16" ? GradientDtype::kBfloat16
                              : GradientDtype::kFloat32;
}

// Of whole blocks it is a multiple of 4.
int64_t UsedWireBytes(GradientDtype dtype, int64_t count) {
  switch (dtype) {
    case GradientDtype::kFloat32:
      return count * int64_t{sizeof(float)};
    case GradientDtype::kBfloat16:
      return count * int64_t{sizeof(rows::Bfloat16)};
    case GradientDtype::kInt8:
      return count + BlocksOf(count) * int64_t{sizeof(float)};
  }
  __builtin_unreachable();
}

int64_t WireBytes(GradientDtype dtype, int64_t count) { return (UsedWireBytes(dtype, count) + 3) / 4 * 4; }

template <typename T>
void EncodeGradientRun(GradientDtype dtype, const T* x, int64_t begin, int64_t n, uint64_t seed, std::byte* wire) {
  wire += UsedWireBytes(dtype, begin);
  switch (dtype) {
    case GradientDtype::kFloat32:
      return EncodeFloat32(x + begin, n, wire);
    case GradientDtype::kBfloat16:
      return EncodeBfloat16(x + begin, n, wire);
    case GradientDtype::kInt8:
      return EncodeInt8(x + begin, n, seed, begin / kWireBlock, wire);
  }
}

template void EncodeGradientRun(GradientDtype, const float*, int64_t, int64_t, uint64_t, std::byte*);
template void EncodeGradientRun(GradientDtype, const rows::Bfloat16*, int64_t, int64_t, uint64_t, std::byte*);

template <>
void DecodeGradientRun(GradientDtype dtype, const std::byte* wire, int64_t begin, int64_t n, Arrival arrival,
                       float* sum) {
  wire += UsedWireBytes(dtype, begin);
  switch (dtype) {
    case GradientDtype::kFloat32:
      return DecodeFloat32(wire, n, arrival, sum + begin);
    case GradientDtype::kBfloat16:
      return DecodeBfloat16(wire, n, arrival, sum + begin);
    case GradientDtype::kInt8:
      return DecodeInt8(wire, n, arrival, sum + begin);
  }
}

template <>
void DecodeGradientRun(GradientDtype dtype, const std::byte* wire, int64_t begin, int64_t n, Arrival arrival,
                       double* sum) {
  float arrived[kWidenedAtOnce];
  for (int64_t i = begin; i < begin + n; i += kWidenedAtOnce) {
    const int64_t count = std::min(kWidenedAtOnce, begin + n - i);
    DecodeGradientRun(dtype, wire + UsedWireBytes(dtype, i), 0, count, Arrival::kReplaces, arrived);
    for (int64_t k = 0; k < count; ++k) sum[i + k] = arrival == Arrival::kAdds ? sum[i + k] + arrived[k] : arrived[k];
  }
}

}  // namespace ridgeline
