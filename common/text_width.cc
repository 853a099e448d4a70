// SPDX-License-Identifier: Apache-2.0
#include "common/text_width.h"

#include <locale.h>
#include <wchar.h>

#include <algorithm>

#include "common/utf8.h"

namespace ridgeline {
namespace {

constexpr char32_t kJoiner = 0x200D;  // Makes one emoji of two.

// As the C library's tables say, which are those of Unicode.
int SystemColumns(char32_t code_point) {
  static const locale_t utf8 = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  if (utf8 == nullptr) return 1;
  const locale_t before = ::uselocale(utf8);
  const int columns = ::wcwidth(static_cast<wchar_t>(code_point));
  ::uselocale(before);
  return columns < 0 ? 1 : columns;  // Unassigned and control characters.
}

bool IsMark(char32_t code_point) {
  return code_point == kJoiner || (code_point >= 0xFE00 && code_point <= 0xFE0F) ||  // Variation selectors
         (code_point >= 0x1F3FB && code_point <= 0x1F3FF) ||                         // Skin tones
         (code_point >= 0xE0100 && code_point <= 0xE01EF);
}

}  // namespace

int ColumnsOf(char32_t code_point) {
  if (code_point < 0x300) return 1;
  return IsMark(code_point) ? 0 : SystemColumns(code_point);
}

std::string_view FirstColumns(std::string_view text, int columns) {
  int taken = 0;
  bool joined = false;
  for (size_t i = 0; i < text.size();) {
    const Utf8Character character = Utf8At(text, i);
    const int width = character.size == 0 ? 1 : joined ? 0 : ColumnsOf(character.code_point);
    if (taken + width > columns) return text.substr(0, i);
    taken += width;
    joined = character.size > 0 && character.code_point == kJoiner;
    i += std::max<size_t>(1, character.size);
  }
  return text;
}

int ColumnsOf(std::string_view text) {
  int taken = 0;
  bool joined = false;
  for (size_t i = 0; i < text.size();) {
    const Utf8Character character = Utf8At(text, i);
    taken += character.size == 0 ? 1 : joined ? 0 : ColumnsOf(character.code_point);
    joined = character.size > 0 && character.code_point == kJoiner;
    i += std::max<size_t>(1, character.size);
  }
  return taken;
}

std::string Shortened(std::string_view text, int columns) {
  if (ColumnsOf(text) <= columns) return std::string(text);
  return std::string(FirstColumns(text, columns - 1)) + "…";
}

}  // namespace ridgeline
