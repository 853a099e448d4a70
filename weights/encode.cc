// SPDX-License-Identifier: Apache-2.0
// Float32 to stored elements. Scales and codes are chosen as by ggml's reference quantizers: the scale is divided in
// float32, the codes are rounded with that scale, and only then does the scale become a half.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "common/half.h"
#include "fmt/format.h"
#include "weights/blocks.h"
#include "weights/decode.h"

namespace ridgeline {
namespace {

using Elements = std::span<const float, kSmallBlock>;

// False if the number is beyond a half.
bool StoreHalf(float value, uint8_t (&bytes)[2]) {
  const uint16_t bits = HalfFromFloat(value);
  std::memcpy(bytes, &bits, sizeof bits);
  return (bits & 0x7C00) != 0x7C00;
}

// 0 for scales that have no inverse: their half is 0, and so is whatever the codes are multiplied with.
float Inverse(float scale) {
  const float inverse = 1.0f / scale;
  return std::isfinite(inverse) ? inverse : 0.0f;
}

float LargestMagnitude(Elements elements) {  // With its sign; the first of several
  float largest = 0;
  for (float element : elements)
    if (std::fabs(element) > std::fabs(largest)) largest = element;
  return largest;
}

// Codes 0..2^bits - 1, low halves and high halves, the fifth bits apart. code_of(element) is already in range.
template <typename CodeOf>
uint32_t StoreCodes(Elements elements, CodeOf code_of, uint8_t (&codes)[16]) {
  uint32_t fifth_bits = 0;
  for (int i = 0; i < 16; ++i) {
    const uint32_t low = code_of(elements[i]), high = code_of(elements[i + 16]);
    codes[i] = static_cast<uint8_t>((low & 0xF) | (high & 0xF) << 4);
    fifth_bits |= (low >> 4) << i | (high >> 4) << (i + 16);
  }
  return fifth_bits;
}

uint32_t Clamped(float code, uint32_t largest) {
  return std::min(static_cast<uint32_t>(std::max(0.0f, code)), largest);
}

// The element of largest magnitude gets the code -2^(bits-1) exactly; codes are stored with that added.
template <int kBits, typename Block>
std::optional<uint32_t> EncodeSymmetric(Elements elements, Block* block) {
  constexpr float kCenter = 1 << (kBits - 1);
  const float scale = LargestMagnitude(elements) / -kCenter, inverse = Inverse(scale);
  auto code_of = [&](float element) { return Clamped(element * inverse + (kCenter + 0.5f), (1u << kBits) - 1); };
  const uint32_t fifth_bits = StoreCodes(elements, code_of, block->codes);
  return StoreHalf(scale, block->scale) ? std::optional<uint32_t>(fifth_bits) : std::nullopt;
}

// The smallest element gets code 0, the largest 2^bits - 1.
template <int kBits, typename Block>
std::optional<uint32_t> EncodeAffine(Elements elements, Block* block) {
  constexpr uint32_t kLargestCode = (1u << kBits) - 1;
  const auto [smallest, largest] = std::minmax_element(elements.begin(), elements.end());
  const float offset = *smallest, scale = (*largest - offset) / static_cast<float>(kLargestCode),
              inverse = Inverse(scale);
  auto code_of = [&](float element) { return Clamped((element - offset) * inverse + 0.5f, kLargestCode); };
  const uint32_t fifth_bits = StoreCodes(elements, code_of, block->codes);
  const bool fits = StoreHalf(scale, block->scale) && StoreHalf(offset, block->offset);
  return fits ? std::optional<uint32_t>(fifth_bits) : std::nullopt;
}

// Each returns false if the scale is beyond a half.
bool EncodeBlock(Elements elements, BlockQ8_0* block) {
  const float scale = std::fabs(LargestMagnitude(elements)) / 127.0f, inverse = Inverse(scale);
  for (int i = 0; i < kSmallBlock; ++i) block->codes[i] = static_cast<int8_t>(std::round(elements[i] * inverse));
  return StoreHalf(scale, block->scale);
}
bool EncodeBlock(Elements elements, BlockQ4_0* block) { return EncodeSymmetric<4>(elements, block).has_value(); }
bool EncodeBlock(Elements elements, BlockQ4_1* block) { return EncodeAffine<4>(elements, block).has_value(); }
bool EncodeBlock(Elements elements, BlockQ5_0* block) {
  const std::optional<uint32_t> fifth_bits = EncodeSymmetric<5>(elements, block);
  if (fifth_bits) std::memcpy(block->fifth_bits, &*fifth_bits, sizeof *fifth_bits);
  return fifth_bits.has_value();
}
bool EncodeBlock(Elements elements, BlockQ5_1* block) {
  const std::optional<uint32_t> fifth_bits = EncodeAffine<5>(elements, block);
  if (fifth_bits) std::memcpy(block->fifth_bits, &*fifth_bits, sizeof *fifth_bits);
  return fifth_bits.has_value();
}

template <typename Block>
absl::Status EncodeBlocks(std::span<const float> elements, std::string* bytes) {
  if (elements.size() % kSmallBlock != 0)
    return absl::InvalidArgumentError(
        fmt::format("{} elements are not whole blocks of {}", elements.size(), kSmallBlock));
  for (size_t at = 0; at < elements.size(); at += kSmallBlock) {
    const Elements block_elements = elements.subspan(at).first<kSmallBlock>();
    if (!std::all_of(block_elements.begin(), block_elements.end(),
                     [](float element) { return std::isfinite(element); }))
      return absl::InvalidArgumentError(
          fmt::format("elements {}..{} hold NaN or an infinity", at, at + kSmallBlock - 1));
    Block block;
    if (!EncodeBlock(block_elements, &block))
      return absl::InvalidArgumentError(
          fmt::format("elements {}..{} need a scale beyond 65504", at, at + kSmallBlock - 1));
    bytes->append(reinterpret_cast<const char*>(&block), sizeof block);
  }
  return absl::OkStatus();
}

template <typename Convert>
absl::Status EncodePlain(std::span<const float> elements, Convert convert, std::string* bytes) {
  using Stored = decltype(convert(0.0f));
  size_t at = bytes->size();
  bytes->resize(at + elements.size() * sizeof(Stored));
  for (float element : elements) {
    const Stored stored = convert(element);
    std::memcpy(bytes->data() + at, &stored, sizeof stored);
    at += sizeof stored;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status EncodeFromFloat(Dtype dtype, std::span<const float> elements, std::string* bytes) {
  switch (dtype) {
    case Dtype::kF32:
      return EncodePlain(
          elements, [](float element) { return element; }, bytes);
    case Dtype::kF16:
      return EncodePlain(elements, HalfFromFloat, bytes);
    case Dtype::kBF16:
      return EncodePlain(elements, Bfloat16FromFloat, bytes);
    case Dtype::kQ8_0:
      return EncodeBlocks<BlockQ8_0>(elements, bytes);
    case Dtype::kQ4_0:
      return EncodeBlocks<BlockQ4_0>(elements, bytes);
    case Dtype::kQ4_1:
      return EncodeBlocks<BlockQ4_1>(elements, bytes);
    case Dtype::kQ5_0:
      return EncodeBlocks<BlockQ5_0>(elements, bytes);
    case Dtype::kQ5_1:
      return EncodeBlocks<BlockQ5_1>(elements, bytes);
    default:
      break;
  }
  return absl::UnimplementedError(
      fmt::format("{} is not written; F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0 and Q5_1 are", DtypeName(dtype)));
}

}  // namespace ridgeline
