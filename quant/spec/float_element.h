// SPDX-License-Identifier: Apache-2.0
// What single numbers and scales of a format are: floating-point elements, the extra level of BitMoD's types, and how a
// block's scale is stored. Constant expressions, so that kernels ask once for each block.
#pragma once

#include <cstdint>
#include <vector>

#include "quant/spec/quant_spec.h"

namespace ridgeline {

// A sign, `exponent_bits` and `mantissa_bits`, with subnormal numbers and without infinities (METHODS B1). The smallest
// normal number is 2^smallest_exponent. Not enabled for integer formats.
struct FloatElement {
  int exponent_bits = 0;
  int mantissa_bits = 0;
  double largest = 0;

  constexpr bool enabled() const { return exponent_bits > 0; }
  constexpr int smallest_exponent() const { return 2 - (1 << (exponent_bits - 1)); }
  // Of the binade of `largest`.
  constexpr double last_step() const {
    double power = 1;
    while (power * 2 <= largest) power *= 2;
    return power / (1 << mantissa_bits);
  }
};

inline constexpr FloatElement kE2M0{2, 0, 4};
inline constexpr FloatElement kE2M1{2, 1, 6};
inline constexpr FloatElement kE2M3{2, 3, 7.5};
inline constexpr FloatElement kE3M2{3, 2, 28};
inline constexpr FloatElement kE4M3{4, 3, 448};
inline constexpr FloatElement kE5M2{5, 2, 57344};

constexpr FloatElement FloatElementOf(Format format) {
  switch (format) {
    case Format::kFp4:
    case Format::kMxFp4:
    case Format::kNvFp4:
    case Format::kBitModFp4:
      return kE2M1;
    case Format::kFp6E2M3:
    case Format::kMxFp6E2M3:
      return kE2M3;
    case Format::kFp6E3M2:
    case Format::kMxFp6E3M2:
      return kE3M2;
    case Format::kFp8E4M3:
    case Format::kMxFp8E4M3:
      return kE4M3;
    case Format::kFp8E5M2:
    case Format::kMxFp8E5M2:
      return kE5M2;
    case Format::kBitModFp3:
      return kE2M0;
    default:
      return {};
  }
}

// How a block's scale is stored.
//   kFloat16     any value (kernels keep it in the type that they work in)
//   kPowerOfTwo  UE8M0: 2^ceil(log2(max |x| / largest element)), which never clips (the rule RCEIL)
//   kE4m3        E4M3 times a float32 scale of the whole tensor
enum class ScaleEncoding { kFloat16, kPowerOfTwo, kE4m3 };

constexpr ScaleEncoding ScaleEncodingOf(Format format) {
  switch (format) {
    case Format::kMxFp4:
    case Format::kMxFp6E2M3:
    case Format::kMxFp6E3M2:
    case Format::kMxFp8E4M3:
    case Format::kMxFp8E5M2:
    case Format::kMxInt8:
      return ScaleEncoding::kPowerOfTwo;
    case Format::kNvFp4:
    case Format::kNvInt4:
      return ScaleEncoding::kE4m3;
    default:
      return ScaleEncoding::kFloat16;
  }
}

// BitMoD (METHODS B5): each block adds one of four levels to those of its element, whichever loses least.
constexpr bool IsBitMod(Format format) { return format == Format::kBitModFp3 || format == Format::kBitModFp4; }

// The format's four candidates: +-nearer lies between the element's levels, +-farther beyond them.
struct BitModLevels {
  double nearer;
  double farther;
};
constexpr BitModLevels BitModLevelsOf(Format format) {
  return format == Format::kBitModFp3 ? BitModLevels{3, 6} : BitModLevels{5, 8};
}

// The numbers that share a scale in MX and NV formats; 0 where a format leaves that open.
constexpr int64_t OwnBlock(Format format) {
  switch (ScaleEncodingOf(format)) {
    case ScaleEncoding::kPowerOfTwo:
      return 32;
    case ScaleEncoding::kE4m3:
      return 16;
    case ScaleEncoding::kFloat16:
      break;
  }
  return 0;
}

// The outermost level of an encoded or floating-point format. MX and NV integers are symmetric: no -2^(b-1).
constexpr double LargestElement(Format format) {
  if (format == Format::kMxInt8) return 127;
  if (format == Format::kNvInt4) return 7;
  return FloatElementOf(format).largest;
}

// Formats whose levels are not those of plain integers and ternary.
constexpr bool HasOwnElement(Format format) {
  return FloatElementOf(format).enabled() || ScaleEncodingOf(format) != ScaleEncoding::kFloat16;
}

// The format's levels, ascending, by counting through its exponents and mantissas; BitMoD's without the extra one.
// Neighbours alternate between even and odd, and 0 is even. REQUIRES: HasOwnElement(format).
std::vector<double> LevelsOf(Format format);

}  // namespace ridgeline
