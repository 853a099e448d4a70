// SPDX-License-Identifier: Apache-2.0
// How SentencePiece's pieces spell spaces and single bytes.
#pragma once

#include <string>
#include <string_view>

namespace ridgeline {

inline constexpr std::string_view kSpaceSymbol = "\xE2\x96\x81";  // U+2581

std::string SpellSpaces(std::string_view text);       // ' ' to U+2581
std::string UnspellSpaces(std::string_view spelled);  // U+2581 to ' '

// The byte of a byte-fallback token ("<0x0A>"), or -1.
int ByteOfFallbackToken(std::string_view token);

}  // namespace ridgeline
