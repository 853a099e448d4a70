// SPDX-License-Identifier: Apache-2.0
#include "model/ops/composed/level_codes.h"

#include <cmath>

#include "method/estimator_traits.h"
#include "model/ops/composed/exact_math.h"
#include "quant/autograd/torch_pch.h"

namespace ridgeline {
namespace {

constexpr int kFloatMantissaBits = 23, kFloatExponentBias = 127;  // Of float32.

// The bits of a number without its sign.
at::Tensor BitsOfSize(const at::Tensor& levels) { return SizesOf(levels).view(at::kInt); }

at::Tensor WithSign(const at::Tensor& magnitude, const at::Tensor& levels, int of_minus) {
  return (magnitude + levels.lt(0).to(at::kInt) * of_minus).to(at::kByte);
}

// Of 0 and 2^(-k/2): code highest - k. Between powers of two lies one with a mantissa.
at::Tensor RootTwoCodes(const at::Tensor& levels, int highest) {
  const at::Tensor bits = BitsOfSize(levels);
  const at::Tensor exponent = at::bitwise_right_shift(bits, kFloatMantissaBits) - kFloatExponentBias;
  const at::Tensor is_root = at::bitwise_and(bits, (1 << kFloatMantissaBits) - 1).ne(0).to(at::kInt);
  return WithSign((exponent * 2 + is_root + highest).masked_fill(levels.eq(0), 0), levels, highest + 1);
}

// Negative ones are two's complement.
at::Tensor EvenCodes(const at::Tensor& levels, const CodeBook& book) {
  const float first = book.levels()[0], inverse_step = 1 / (book.levels()[1] - first);
  const at::Tensor codes = ((levels - first) * inverse_step).round().to(at::kInt);
  return at::bitwise_and(codes, (1 << book.bits()) - 1).to(at::kByte);
}

}  // namespace

// A normal number's exponent and mantissa are the highest bits of a float's, but for the bias.
at::Tensor ElementCodes(const at::Tensor& levels, const FloatElement& element) {
  const int mantissa_bits = element.mantissa_bits, smallest = element.smallest_exponent();
  const at::Tensor size = SizesOf(levels);
  const at::Tensor normal = at::bitwise_right_shift(BitsOfSize(levels), kFloatMantissaBits - mantissa_bits) -
                            ((kFloatExponentBias + smallest - 1) << mantissa_bits);
  const at::Tensor subnormal = (size * std::ldexp(1.0, mantissa_bits - smallest)).to(at::kInt);
  const at::Tensor magnitude = Select(size.lt(std::ldexp(1.0, smallest)), subnormal, normal);
  return WithSign(magnitude, levels, 1 << (element.exponent_bits + mantissa_bits));
}

at::Tensor CodesOfLevels(const at::Tensor& levels, const QuantizerSpec& spec, const CodeBook& book) {
  const FloatElement element = FloatElementOf(spec.format);
  if (element.enabled()) return ElementCodes(levels, element);
  const EstimatorTraits& traits = *FindEstimatorTraits(spec.estimator);
  if (!traits.learns_scale()) return EvenCodes(levels, book);
  const LearnedLevels learned = traits.learned_levels(spec.format);
  return learned.kind == LevelKind::kPowersOfRootTwo ? RootTwoCodes(levels, static_cast<int>(learned.highest))
                                                     : EvenCodes(levels, book);
}

at::Tensor LevelsOfCodes(const at::Tensor& codes, const at::Tensor& extras, const CodeBook& book) {
  const at::Tensor levels = LookedUp(book.levels(), codes.to(at::kLong));
  return extras.defined() ? Select(codes.eq(book.extra_code()), extras, levels) : levels;
}

}  // namespace ridgeline
