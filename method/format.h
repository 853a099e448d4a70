// SPDX-License-Identifier: Apache-2.0
// Formats: what the numbers of a grid are and how a block's scale is stored. One table, from docs/methods.md#formats.
// Constant expressions, so that kernels ask once for each block. No LibTorch here, nor in the rest of the room.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace ridgeline {

// Affine intB has the levels 0 .. 2^B - 1; linear int1 is {-1, +1}, linear intB for B > 1 is the 2^B half-integers
// about zero (int2: -1.5, -0.5, 0.5, 1.5), ternary is {-1, 0, +1}. Floating-point formats have the levels of their
// element; MX and NV formats say how the scale is stored, too.
enum class Format {
  kNone,
  kInt1,
  kInt2,
  kInt3,
  kInt4,
  kInt5,
  kInt6,
  kInt7,
  kInt8,
  kTernary,
  kFp4,
  kFp6E2M3,
  kFp6E3M2,
  kFp8E4M3,
  kFp8E5M2,
  kBitModFp3,
  kBitModFp4,
  kMxFp4,
  kMxFp6E2M3,
  kMxFp6E3M2,
  kMxFp8E4M3,
  kMxFp8E5M2,
  kMxInt8,
  kNvFp4,
  kNvInt4
};

// A sign, `exponent_bits` and `mantissa_bits`, with subnormal numbers and without infinities. The smallest normal
// number is 2^smallest_exponent. Not enabled for integer formats.
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
inline constexpr FloatElement kFloat16{5, 10, 65504};  // Of scales.

// How a block's scale is stored.
//   kFloat16     any value (kernels keep it in the type that they work in)
//   kPowerOfTwo  UE8M0: 2^ceil(log2(max |x| / largest element)), which never clips (the rule RCEIL)
//   kE4m3        E4M3 times a float32 scale of the whole tensor
enum class ScaleEncoding { kFloat16, kPowerOfTwo, kE4m3 };

// BitMoD: each block adds one of four levels to those of its element, whichever loses least. +-nearer lies between the
// element's levels, +-farther beyond them.
struct BitModLevels {
  double nearer = 0;
  double farther = 0;
};

struct FormatTraits {
  Format format;
  std::string_view name;
  int bits = 0;  // Of integers.
  FloatElement element;
  ScaleEncoding scale = ScaleEncoding::kFloat16;
  BitModLevels bitmod;
  double gaussian_extent = 0;
};

inline constexpr std::array<FormatTraits, 25> kFormats = {{
    {.format = Format::kNone, .name = "none"},
    {.format = Format::kInt1, .name = "int1", .bits = 1, .gaussian_extent = 0.7978845608028654},  // sqrt(2 / pi)
    {.format = Format::kInt2, .name = "int2", .bits = 2, .gaussian_extent = 1.4935346},
    {.format = Format::kInt3, .name = "int3", .bits = 3, .gaussian_extent = 2.0510684},
    {.format = Format::kInt4, .name = "int4", .bits = 4, .gaussian_extent = 2.5139306},
    {.format = Format::kInt5, .name = "int5", .bits = 5, .gaussian_extent = 2.9160938},
    {.format = Format::kInt6, .name = "int6", .bits = 6, .gaussian_extent = 3.2765973},
    {.format = Format::kInt7, .name = "int7", .bits = 7, .gaussian_extent = 3.6010497},
    {.format = Format::kInt8, .name = "int8", .bits = 8, .gaussian_extent = 3.8849387},
    {.format = Format::kTernary, .name = "ternary", .gaussian_extent = 1.2240090},
    {.format = Format::kFp4, .name = "fp4", .element = kE2M1, .gaussian_extent = 2.9224750},
    {.format = Format::kFp6E2M3, .name = "fp6_e2m3", .element = kE2M3, .gaussian_extent = 3.7475405},
    {.format = Format::kFp6E3M2, .name = "fp6_e3m2", .element = kE3M2, .gaussian_extent = 4.5417580},
    // Nearly the same at every doubling, up to where subnormal numbers begin to count.
    {.format = Format::kFp8E4M3, .name = "fp8_e4m3", .element = kE4M3, .gaussian_extent = 18.257973},
    {.format = Format::kFp8E5M2, .name = "fp8_e5m2", .element = kE5M2, .gaussian_extent = 72.296061},
    {.format = Format::kBitModFp3, .name = "bitmod_fp3", .element = kE2M0, .bitmod = {3, 6}},
    {.format = Format::kBitModFp4, .name = "bitmod_fp4", .element = kE2M1, .bitmod = {5, 8}},
    {.format = Format::kMxFp4, .name = "mxfp4", .element = kE2M1, .scale = ScaleEncoding::kPowerOfTwo},
    {.format = Format::kMxFp6E2M3, .name = "mxfp6_e2m3", .element = kE2M3, .scale = ScaleEncoding::kPowerOfTwo},
    {.format = Format::kMxFp6E3M2, .name = "mxfp6_e3m2", .element = kE3M2, .scale = ScaleEncoding::kPowerOfTwo},
    {.format = Format::kMxFp8E4M3, .name = "mxfp8_e4m3", .element = kE4M3, .scale = ScaleEncoding::kPowerOfTwo},
    {.format = Format::kMxFp8E5M2, .name = "mxfp8_e5m2", .element = kE5M2, .scale = ScaleEncoding::kPowerOfTwo},
    {.format = Format::kMxInt8, .name = "mxint8", .bits = 8, .scale = ScaleEncoding::kPowerOfTwo},
    {.format = Format::kNvFp4, .name = "nvfp4", .element = kE2M1, .scale = ScaleEncoding::kE4m3},
    {.format = Format::kNvInt4, .name = "nvint4", .bits = 4, .scale = ScaleEncoding::kE4m3},
}};

constexpr bool FormatsAreInTheirPlaces() {
  for (size_t i = 0; i < kFormats.size(); ++i)
    if (static_cast<size_t>(kFormats[i].format) != i) return false;
  return true;
}
static_assert(FormatsAreInTheirPlaces());

constexpr const FormatTraits& TraitsOf(Format format) { return kFormats[static_cast<size_t>(format)]; }

constexpr FloatElement FloatElementOf(Format format) { return TraitsOf(format).element; }
constexpr ScaleEncoding ScaleEncodingOf(Format format) { return TraitsOf(format).scale; }
constexpr BitModLevels BitModLevelsOf(Format format) { return TraitsOf(format).bitmod; }
constexpr bool IsBitMod(Format format) { return TraitsOf(format).bitmod.nearer > 0; }

// Of an integer format, with a scale of any kind; 0 for others.
constexpr int IntegerBits(Format format) { return TraitsOf(format).bits; }

// The outermost level of the format's symmetric grid that loses least of N(0, 1) in mean square, in standard
// deviations. 0 for none, and for those that have minmax grids alone.
constexpr double GaussianExtent(Format format) { return TraitsOf(format).gaussian_extent; }

// What estimators ask of a format.
constexpr bool HasPlainScale(Format format) { return ScaleEncodingOf(format) == ScaleEncoding::kFloat16; }
constexpr bool HasGaussianGrid(Format format) { return GaussianExtent(format) > 0; }
constexpr bool IsInteger(Format format) { return IntegerBits(format) > 0 && HasPlainScale(format); }
constexpr bool IsIntegerOrTernary(Format format) { return IsInteger(format) || format == Format::kTernary; }

// Stored bits of one code. Ternary packs five codes into a byte.
constexpr double CodeBits(Format format) {
  if (format == Format::kNone) return 16;
  if (format == Format::kTernary) return 1.6;
  const FloatElement element = FloatElementOf(format);
  return element.enabled() ? 1 + element.exponent_bits + element.mantissa_bits : IntegerBits(format);
}

// The numbers that share a scale in MX and NV formats; 0 where a format leaves that open.
constexpr int64_t OwnBlock(Format format) {
  if (HasPlainScale(format)) return 0;
  return ScaleEncodingOf(format) == ScaleEncoding::kPowerOfTwo ? 32 : 16;
}

// A plain scale is stored as a float16 of this many times the scale: of floating-point elements the power of two at or
// below the largest level, since the scale itself may be as small as that makes it (fp8_e5m2: 1 / 57344 of max |x|).
constexpr double StoredScaleFactor(Format format) {
  double factor = 1;
  while (factor * 2 <= FloatElementOf(format).largest) factor *= 2;
  return factor;
}

// Formats whose levels are not those of plain integers and ternary.
constexpr bool HasOwnElement(Format format) { return FloatElementOf(format).enabled() || !HasPlainScale(format); }

// The outermost level of an encoded or floating-point format. MX and NV integers are symmetric: no -2^(b-1).
constexpr double LargestElement(Format format) {
  const FloatElement element = FloatElementOf(format);
  return element.enabled() || HasPlainScale(format) ? element.largest : (1 << (IntegerBits(format) - 1)) - 1;
}

// The format's levels, ascending, by counting through its exponents and mantissas; BitMoD's without the extra one.
// Neighbours alternate between even and odd, and 0 is even. REQUIRES: HasOwnElement(format).
std::vector<double> LevelsOf(Format format);

constexpr std::string_view FormatName(Format format) { return TraitsOf(format).name; }

// INVALID_ARGUMENT lists the names.
absl::StatusOr<Format> ParseFormat(std::string_view name);

// Each but none.
std::vector<Format> EveryFormat();

}  // namespace ridgeline
