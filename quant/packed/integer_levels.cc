// SPDX-License-Identifier: Apache-2.0
#include "quant/packed/integer_levels.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

namespace ridgeline {
namespace {

std::vector<float> LevelsOf(const CodeBook& book, Format format) {
  std::vector<float> levels;
  for (float level : book.levels())
    if (!std::isnan(level)) levels.push_back(level);
  if (IsBitMod(format))
    for (float extra : BitModExtras(format)) levels.push_back(extra);
  return levels;
}

bool AreWhole(const std::vector<float>& levels, const IntegerLevels& integers, int largest) {
  constexpr float kRounding = 1e-4f;
  return std::all_of(levels.begin(), levels.end(), [&](float level) {
    const float whole = level / integers.step - integers.shift;
    return std::abs(whole) <= static_cast<float>(largest) && std::abs(whole - std::rint(whole)) <= kRounding;
  });
}

}  // namespace

int IntegerLevels::WholeOf(float level) const { return static_cast<int>(std::lrint(level / step - shift)); }

std::optional<IntegerLevels> IntegerLevelsOf(const CodeBook& book, Format format, int largest, bool has_zeros) {
  const std::vector<float> levels = LevelsOf(book, format);
  float smallest = std::numeric_limits<float>::max();
  for (float level : levels)
    if (level != 0) smallest = std::min(smallest, std::abs(level));
  if (const IntegerLevels centred{smallest, 0}; AreWhole(levels, centred, largest)) return centred;
  if (has_zeros || levels.size() < 2) return std::nullopt;
  // Of 256 levels the middle one.
  const auto [low, high] = std::minmax_element(levels.begin(), levels.end());
  const float step = (*high - *low) / static_cast<float>(levels.size() - 1);
  const IntegerLevels shifted{step, *low / step + static_cast<float>(largest + 1)};
  if (AreWhole(levels, shifted, largest + 1)) return shifted;
  return std::nullopt;
}

std::optional<SignLevels> SignLevelsOf(const CodeBook& book, Format format) {
  constexpr int kMostPlanes = 4;
  const std::span<const float> levels = book.levels();
  const int planes = std::countr_zero(levels.size());
  if (IsBitMod(format) || !std::has_single_bit(levels.size()) || planes < 1 || planes > kMostPlanes)
    return std::nullopt;
  const float step = levels[1] - levels[0], largest = static_cast<float>(levels.size() - 1);
  if (!(step > 0)) return std::nullopt;
  const SignLevels signs{{step / 2, 2 * levels[0] / step + largest}, planes};
  for (size_t code = 0; code < levels.size(); ++code) {
    constexpr float kRounding = 1e-4f;
    const float whole = levels[code] / signs.levels.step - signs.levels.shift;
    if (!(std::abs(whole - (2 * static_cast<float>(code) - largest)) <= kRounding)) return std::nullopt;
  }
  return signs;
}

std::optional<LinearCodes> LinearCodesOf(std::span<const int8_t> whole_of_code) {
  if (whole_of_code.size() < 2) return std::nullopt;
  const LinearCodes linear{whole_of_code[1] - whole_of_code[0], whole_of_code[0]};
  for (size_t code = 0; code < whole_of_code.size(); ++code)
    if (whole_of_code[code] != linear.factor * static_cast<int>(code) + linear.first) return std::nullopt;
  return linear;
}

}  // namespace ridgeline
