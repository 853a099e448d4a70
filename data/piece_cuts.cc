// SPDX-License-Identifier: Apache-2.0
#include "data/piece_cuts.h"

#include "common/utf8.h"

namespace ridgeline {
namespace {

constexpr char32_t kSpaceSymbolPoint = 0x2581;

Utf8Character CharacterAt(std::string_view text, size_t offset) {
  Utf8Character character = Utf8At(text, offset);
  if (character.code_point == kSpaceSymbolPoint) character.code_point = ' ';
  return character;
}

uint64_t PairOf(char32_t left, char32_t right) { return uint64_t{left} << 32 | right; }

}  // namespace

void PieceCuts::Add(std::string_view token) {
  Utf8Character left = CharacterAt(token, 0);
  for (size_t offset = left.size; offset < token.size();) {
    const Utf8Character right = CharacterAt(token, offset);
    if (left.code_point < kAscii && right.code_point < kAscii) {
      ascii_.set(left.code_point * kAscii + right.code_point);
    } else {
      others_.insert(PairOf(left.code_point, right.code_point));
    }
    left = right;
    offset += right.size;
  }
}

bool PieceCuts::MayCut(char32_t left, char32_t right) const {
  if (left < kAscii && right < kAscii) return !ascii_.test(left * kAscii + right);
  return !others_.contains(PairOf(left, right));
}

size_t PieceCuts::NextCut(std::string_view text, size_t begin) const {
  Utf8Character left = CharacterAt(text, begin);
  for (size_t offset = begin + left.size; offset < text.size();) {
    const Utf8Character right = CharacterAt(text, offset);
    if (MayCut(left.code_point, right.code_point)) return offset;
    left = right;
    offset += right.size;
  }
  return text.size();
}

}  // namespace ridgeline
