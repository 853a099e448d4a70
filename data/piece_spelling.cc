// SPDX-License-Identifier: Apache-2.0
#include "data/piece_spelling.h"

namespace ridgeline {
namespace {

std::string ReplaceAll(std::string_view text, std::string_view from, std::string_view to) {
  std::string result;
  for (size_t begin = 0;;) {
    const size_t end = text.find(from, begin);
    result += text.substr(begin, end - begin);
    if (end == std::string_view::npos) return result;
    result += to;
    begin = end + from.size();
  }
}

}  // namespace

std::string SpellSpaces(std::string_view text) { return ReplaceAll(text, " ", kSpaceSymbol); }
std::string UnspellSpaces(std::string_view spelled) { return ReplaceAll(spelled, kSpaceSymbol, " "); }

int ByteOfFallbackToken(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  const size_t high = kDigits.find(token[3]), low = kDigits.find(token[4]);
  if (high == std::string_view::npos || low == std::string_view::npos) return -1;
  return static_cast<int>(high * 16 + low);
}

}  // namespace ridgeline
