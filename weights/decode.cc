// SPDX-License-Identifier: Apache-2.0
#include "weights/decode.h"

#include <cstring>

#include "common/half.h"
#include "fmt/format.h"
#include "weights/decode_blocks.h"

namespace ridgeline {
namespace {

// Elements may lie at any address: safetensors promises no alignment.
template <typename Stored, typename Convert>
void DecodePlain(const char* bytes, std::span<float> out, Convert convert) {
  for (float& element : out) {
    Stored stored;
    std::memcpy(&stored, bytes, sizeof stored);
    element = convert(stored);
    bytes += sizeof stored;
  }
}

template <typename Stored>
void DecodeByCast(const char* bytes, std::span<float> out) {
  DecodePlain<Stored>(bytes, out, [](Stored stored) { return static_cast<float>(stored); });
}

// REQUIRES: out.size() is a multiple of block_elements.
template <typename Block>
void DecodeBlocks(const char* bytes, size_t block_elements, std::span<float> out) {
  for (size_t done = 0; done < out.size(); done += block_elements, bytes += sizeof(Block)) {
    Block block;
    std::memcpy(&block, bytes, sizeof block);
    DecodeBlock(block, out.data() + done);
  }
}

void Decode(Dtype dtype, const char* bytes, std::span<float> out) {
  switch (dtype) {
    case Dtype::kF64:
      return DecodeByCast<double>(bytes, out);
    case Dtype::kF32:
      return DecodeByCast<float>(bytes, out);
    case Dtype::kF16:
      return DecodePlain<uint16_t>(bytes, out, FloatFromHalf);
    case Dtype::kBF16:
      return DecodePlain<uint16_t>(bytes, out, FloatFromBfloat16);
    case Dtype::kI64:
      return DecodeByCast<int64_t>(bytes, out);
    case Dtype::kI32:
      return DecodeByCast<int32_t>(bytes, out);
    case Dtype::kI16:
      return DecodeByCast<int16_t>(bytes, out);
    case Dtype::kI8:
      return DecodeByCast<int8_t>(bytes, out);
    case Dtype::kU8:
      return DecodeByCast<uint8_t>(bytes, out);
    case Dtype::kBool:
      return DecodePlain<uint8_t>(bytes, out, [](uint8_t b) { return b != 0 ? 1.0f : 0.0f; });
    case Dtype::kQ8_0:
      return DecodeBlocks<BlockQ8_0>(bytes, kSmallBlock, out);
    case Dtype::kQ4_0:
      return DecodeBlocks<BlockQ4_0>(bytes, kSmallBlock, out);
    case Dtype::kQ4_1:
      return DecodeBlocks<BlockQ4_1>(bytes, kSmallBlock, out);
    case Dtype::kQ5_0:
      return DecodeBlocks<BlockQ5_0>(bytes, kSmallBlock, out);
    case Dtype::kQ5_1:
      return DecodeBlocks<BlockQ5_1>(bytes, kSmallBlock, out);
    case Dtype::kQ4_K:
      return DecodeBlocks<BlockQ4_K>(bytes, kSuperBlock, out);
    case Dtype::kQ5_K:
      return DecodeBlocks<BlockQ5_K>(bytes, kSuperBlock, out);
    case Dtype::kQ6_K:
      return DecodeBlocks<BlockQ6_K>(bytes, kSuperBlock, out);
    case Dtype::kTQ1_0:
      return DecodeBlocks<BlockTQ1_0>(bytes, kSuperBlock, out);
    case Dtype::kTQ2_0:
      return DecodeBlocks<BlockTQ2_0>(bytes, kSuperBlock, out);
    case Dtype::kMXFP4:
      return DecodeBlocks<BlockMXFP4>(bytes, kSmallBlock, out);
    case Dtype::kQ1_0:
      return DecodeBlocks<BlockQ1_0>(bytes, kSignBlock, out);
    case Dtype::kQ2_0:
      return DecodeBlocks<BlockQ2_0>(bytes, kTwoBitBlock, out);
  }
}

}  // namespace

absl::Status DecodeToFloat(const TensorView& tensor, int64_t first_element, std::span<float> out) {
  const int64_t block = BlockElements(tensor.dtype), count = static_cast<int64_t>(out.size());
  const int64_t held = static_cast<int64_t>(tensor.bytes.size()) / BlockBytes(tensor.dtype) * block;
  if (first_element < 0 || first_element > held || count > held - first_element)
    return absl::InvalidArgumentError(fmt::format("tensor '{}' has {} elements; {} from {} on were asked for",
                                                  tensor.name, held, count, first_element));
  if (first_element % block != 0 || count % block != 0)
    return absl::InvalidArgumentError(fmt::format("tensor '{}' is {}: a slice must be whole blocks of {} elements",
                                                  tensor.name, DtypeName(tensor.dtype), block));
  Decode(tensor.dtype, tensor.bytes.data() + first_element / block * BlockBytes(tensor.dtype), out);
  return absl::OkStatus();
}

}  // namespace ridgeline
