// SPDX-License-Identifier: Apache-2.0
#include "quant/codes/code_book.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "method/estimator_traits.h"
#include "method/problems.h"

namespace ridgeline {
namespace {

constexpr float kNone = std::numeric_limits<float>::quiet_NaN();

// count levels from `first` on, each times a factor.
std::vector<float> EvenLevels(int count, float first, float factor = 1) {
  std::vector<float> levels;
  for (int code = 0; code < count; ++code) levels.push_back((static_cast<float>(code) + first) * factor);
  return levels;
}

// Codes are two's complement: 0 .. half - 1, then -half .. -1.
std::vector<float> SignedLevels(int bits) {
  std::vector<float> levels;
  const int count = 1 << bits, half = count / 2;
  for (int code = 0; code < count; ++code) levels.push_back(static_cast<float>(code < half ? code : code - count));
  return levels;
}

// Those of magnitudes, and behind them the same with a sign.
std::vector<float> WithSigns(std::vector<float> magnitudes) {
  const size_t count = magnitudes.size();
  for (size_t i = 0; i < count; ++i) magnitudes.push_back(-magnitudes[i]);
  return magnitudes;
}

// Codes are a sign, an exponent and a mantissa, as the element's bits have them.
std::vector<float> FloatLevels(const FloatElement& element) {
  std::vector<float> magnitudes;
  const int steps = 1 << element.mantissa_bits;
  for (int exponent = 0; exponent < 1 << element.exponent_bits; ++exponent)
    for (int mantissa = 0; mantissa < steps; ++mantissa) {
      const int binade = std::max(exponent, 1) - 1 + element.smallest_exponent();
      const double value = std::ldexp((exponent > 0 ? 1.0 : 0.0) + static_cast<double>(mantissa) / steps, binade);
      magnitudes.push_back(value <= element.largest ? static_cast<float>(value) : kNone);
    }
  return WithSigns(magnitudes);
}

// 0 and 2^(-k/2) for k from highest - 1 down to 0: powers of two, and between them those times the root of a half.
std::vector<float> RootTwoLevels(int highest) {
  std::vector<float> magnitudes = {0};
  for (int k = highest - 1; k >= 0; --k)
    magnitudes.push_back(std::ldexp(k % 2 == 0 ? 1.0f : static_cast<float>(0.70710678118654752), -(k / 2)));
  return WithSigns(magnitudes);
}

std::vector<float> LevelsOfLearned(const QuantizerSpec& spec, const LearnedLevels& learned) {
  switch (learned.kind) {
    case LevelKind::kSign:
      return {-1, 1};
    case LevelKind::kUniform:
      return spec.format == Format::kTernary ? EvenLevels(3, -1) : SignedLevels(IntegerBits(spec.format));
    case LevelKind::kStretched: {
      const bool is_ternary = spec.format == Format::kTernary;
      return EvenLevels(is_ternary ? 3 : 1 << IntegerBits(spec.format), is_ternary ? -1 : -1.5f,
                        static_cast<float>(1 / learned.n));
    }
    case LevelKind::kPowersOfRootTwo:
      return RootTwoLevels(static_cast<int>(learned.highest));
  }
  return {};
}

std::vector<float> LevelsOfGrid(const QuantizerSpec& spec) {
  const int bits = IntegerBits(spec.format);
  if (spec.format == Format::kTernary) return EvenLevels(3, -1);
  if (FloatElementOf(spec.format).enabled()) return FloatLevels(FloatElementOf(spec.format));
  if (!HasPlainScale(spec.format)) {
    std::vector<float> levels = SignedLevels(bits);
    levels[levels.size() / 2] = kNone;  // -2^(B-1), which MX and NV integers do without.
    return levels;
  }
  if (spec.scheme == Scheme::kAffine) return EvenLevels(1 << bits, 0);
  if (spec.format == Format::kInt1) return {-1, 1};
  return EvenLevels(1 << bits, static_cast<float>(1 - (1 << bits)) / 2);
}

std::vector<float> LevelsOfSpec(const QuantizerSpec& spec, const EstimatorTraits& traits) {
  if (traits.learns_scale()) return LevelsOfLearned(spec, traits.learned_levels(spec.format));
  if (traits.codes == CodeLevels::kGrid || spec.format == Format::kTernary) return LevelsOfGrid(spec);
  return IntegerBits(spec.format) == 1 ? std::vector<float>{-1, 1} : SignedLevels(IntegerBits(spec.format));
}

}  // namespace

uint8_t CodeBook::CodeOf(float level) const {
  if (inverse_step_ != 0) {
    const auto code = static_cast<int>(std::lrint((level - first_) * inverse_step_));
    return static_cast<uint8_t>(code & ((1 << bits_) - 1));
  }
  const auto above = std::lower_bound(ascending_.begin(), ascending_.end(), std::pair<float, uint8_t>(level, 0));
  if (above == ascending_.begin()) return above->second;
  if (above == ascending_.end()) return std::prev(above)->second;
  return above->first - level <= level - std::prev(above)->first ? above->second : std::prev(above)->second;
}

bool CodeBook::IsEven() const {
  for (size_t code = 0; code < levels_.size(); ++code)
    if (std::isnan(levels_[code]) || CodeOf(levels_[code]) != code) return false;
  return true;
}

std::array<float, 4> BitModExtras(Format format) {
  const BitModLevels levels = BitModLevelsOf(format);
  const auto nearer = static_cast<float>(levels.nearer), farther = static_cast<float>(levels.farther);
  return {nearer, -nearer, farther, -farther};
}

uint8_t SelectorOfBitMod(Format format, float extra) {
  const std::array<float, 4> extras = BitModExtras(format);
  const auto* found = std::find(extras.begin(), extras.end(), extra);
  return found == extras.end() ? uint8_t{0} : static_cast<uint8_t>(found - extras.begin());
}

absl::StatusOr<CodeBook> CodeBookOf(const QuantizerSpec& spec) {
  if (!spec.quantizes()) return absl::InvalidArgumentError("numbers without a format have no codes: name one");
  if (absl::Status valid = ValidateQuantizerSpec(spec, Side::kWeight); !valid.ok()) return valid;
  CodeBook book;
  book.levels_ = LevelsOfSpec(spec, *FindEstimatorTraits(spec.estimator));
  while (1u << book.bits_ < book.levels_.size()) ++book.bits_;
  if (IsBitMod(spec.format)) book.extra_code_ = static_cast<int>(book.levels_.size() / 2);  // Where -0 would be.
  const std::vector<float>& levels = book.levels_;
  book.first_ = levels[0];
  book.inverse_step_ = 1 / (levels[1] - levels[0]);
  if (book.IsEven()) return book;
  book.inverse_step_ = 0;
  for (size_t code = 0; code < levels.size(); ++code)
    if (levels[code] == levels[code] && !(levels[code] == 0 && code > 0))
      book.ascending_.emplace_back(levels[code], static_cast<uint8_t>(code));
  std::sort(book.ascending_.begin(), book.ascending_.end());
  return book;
}

}  // namespace ridgeline
