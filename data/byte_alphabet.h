// SPDX-License-Identifier: Apache-2.0
// GPT-2's printable spelling of bytes: each byte is one Unicode character, so that a vocabulary of byte strings is text
// without spaces or control characters.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ridgeline {

// Printable Latin-1 characters stand for themselves; the other 68 bytes, by rising value, are U+0100 to U+0143.
std::string SpellByte(unsigned char byte);

// The bytes that `spelled` stands for; nothing if a character is not of the alphabet or the text is not UTF-8.
std::optional<std::string> BytesOfSpelling(std::string_view spelled);

}  // namespace ridgeline
