// SPDX-License-Identifier: Apache-2.0
#include "worker/parallel/gradient_wire.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cstring>

#include "worker/parallel/gradient_blocks.h"

namespace ridgeline {
namespace {

// What a thread takes at least, and what of a sum stays in the innermost cache while the ranks' parts are added.
constexpr int64_t kBlocksOfThread = 512;

int64_t BlocksOf(int64_t count) { return (count + kWireBlock - 1) / kWireBlock; }

// Without what makes it a multiple of 4. Of whole blocks it is one.
int64_t BytesOf(GradientDtype dtype, int64_t count) {
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

// Calls work(begin, n) for runs of whole blocks, but for the end of the last.
template <typename Work>
void ForRunsOfBlocks(int64_t count, const Work& work) {
  at::parallel_for(0, BlocksOf(count), kBlocksOfThread, [&](int64_t first, int64_t last) {
    const int64_t begin = first * kWireBlock;
    work(begin, std::min(last * kWireBlock, count) - begin);
  });
}

template <typename T>
void EncodeRun(GradientDtype dtype, const T* x, int64_t begin, int64_t n, uint64_t seed, std::byte* wire) {
  wire += BytesOf(dtype, begin);
  switch (dtype) {
    case GradientDtype::kFloat32:
      return EncodeFloat32(x + begin, n, wire);
    case GradientDtype::kBfloat16:
      return EncodeBfloat16(x + begin, n, wire);
    case GradientDtype::kInt8:
      return EncodeInt8(x + begin, n, seed, begin / kWireBlock, wire);
  }
}

template <typename T>
void Encode(GradientDtype dtype, std::span<const T> source, uint64_t seed, std::byte* wire) {
  const int64_t count = std::ssize(source), bytes = BytesOf(dtype, count);
  ForRunsOfBlocks(count, [&](int64_t begin, int64_t n) { EncodeRun(dtype, source.data(), begin, n, seed, wire); });
  std::fill(wire + bytes, wire + WireBytes(dtype, count), std::byte{0});
}

void DecodeRun(GradientDtype dtype, const std::byte* wire, int64_t begin, int64_t n, Arrival arrival, float* sum) {
  wire += BytesOf(dtype, begin);
  switch (dtype) {
    case GradientDtype::kFloat32:
      return DecodeFloat32(wire, n, arrival, sum + begin);
    case GradientDtype::kBfloat16:
      return DecodeBfloat16(wire, n, arrival, sum + begin);
    case GradientDtype::kInt8:
      return DecodeInt8(wire, n, arrival, sum + begin);
  }
}

}  // namespace

GradientDtype GradientDtypeNamed(std::string_view name) {
  return name == "int8"       ? GradientDtype::kInt8
         : name == "bfloat16" ? GradientDtype::kBfloat16
                              : GradientDtype::kFloat32;
}

int64_t WireBytes(GradientDtype dtype, int64_t count) { return (BytesOf(dtype, count) + 3) / 4 * 4; }

void EncodeGradient(GradientDtype dtype, std::span<const float> source, uint64_t seed, std::byte* wire) {
  Encode(dtype, source, seed, wire);
}
void EncodeGradient(GradientDtype dtype, std::span<const rows::Bfloat16> source, uint64_t seed, std::byte* wire) {
  Encode(dtype, source, seed, wire);
}

void DecodeInto(GradientDtype dtype, const std::byte* wire, int64_t count, float* sum) {
  ForRunsOfBlocks(count, [&](int64_t begin, int64_t n) { DecodeRun(dtype, wire, begin, n, Arrival::kReplaces, sum); });
}

void DecodeAdd(GradientDtype dtype, const std::byte* wire, int64_t count, float* sum) {
  ForRunsOfBlocks(count, [&](int64_t begin, int64_t n) { DecodeRun(dtype, wire, begin, n, Arrival::kAdds, sum); });
}

}  // namespace ridgeline
