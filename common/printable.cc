// SPDX-License-Identifier: Apache-2.0
#include "common/printable.h"

#include <algorithm>

#include "common/utf8.h"

namespace ridgeline {
namespace {

bool IsControl(char32_t c) {
  if (c == U'\n' || c == U'\t') return false;
  return c < 0x20 || (c >= 0x7F && c <= 0x9F);
}

bool ChangesDirection(char32_t c) {
  return c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string printable;
  printable.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const Utf8Character character = Utf8At(text, at);
    const size_t size = std::max<size_t>(character.size, 1);
    if (character.size == 0 || IsControl(character.code_point) || ChangesDirection(character.code_point)) {
      printable += '?';
    } else {
      printable.append(text.substr(at, size));
    }
    at += size;
  }
  return printable;
}

std::string PrintableLine(std::string_view text, size_t max_bytes) {
  size_t end = std::min(text.size(), max_bytes);
  while (end > 0 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  std::string line = Printable(text.substr(0, end));
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  return line;
}

}  // namespace ridgeline
