// SPDX-License-Identifier: Apache-2.0
#include "data/byte_alphabet.h"

#include <array>

#include "common/utf8.h"

namespace ridgeline {
namespace {

constexpr int kByteValues = 256;
constexpr char32_t kFirstSubstitute = 0x100;
constexpr int kSubstitutes = 68;

constexpr bool StandsForItself(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
}

struct Alphabet {
  std::array<char32_t, kByteValues> character_of_byte{};
  std::array<int, kFirstSubstitute + kSubstitutes> byte_of_character{};  // -1: not of the alphabet.
};

constexpr Alphabet MakeAlphabet() {
  Alphabet alphabet;
  for (int& byte : alphabet.byte_of_character) byte = -1;
  char32_t substitute = kFirstSubstitute;
  for (int byte = 0; byte < kByteValues; ++byte) {
    const char32_t character = StandsForItself(byte) ? static_cast<char32_t>(byte) : substitute++;
    alphabet.character_of_byte[byte] = character;
    alphabet.byte_of_character[character] = byte;
  }
  return alphabet;
}

constexpr Alphabet kAlphabet = MakeAlphabet();

}  // namespace

std::string SpellByte(unsigned char byte) {
  std::string spelled;
  AppendUtf8(kAlphabet.character_of_byte[byte], &spelled);
  return spelled;
}

std::optional<std::string> BytesOfSpelling(std::string_view spelled) {
  std::string bytes;
  for (size_t offset = 0; offset < spelled.size();) {
    const Utf8Character character = Utf8At(spelled, offset);
    if (character.size == 0 || character.code_point >= kAlphabet.byte_of_character.size()) return std::nullopt;
    const int byte = kAlphabet.byte_of_character[character.code_point];
    if (byte < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(byte));
    offset += character.size;
  }
  return bytes;
}

}  // namespace ridgeline
