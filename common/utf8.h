// SPDX-License-Identifier: Apache-2.0
// UTF-8, strictly: no overlong forms, no surrogates, nothing over U+10FFFF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ridgeline {

// The code point at `offset` and the bytes it takes; size 0 where the text is not UTF-8.
// REQUIRES: offset < text.size().
struct Utf8Character {
  char32_t code_point = 0;
  size_t size = 0;
};
Utf8Character Utf8At(std::string_view text, size_t offset);

// All code points. INVALID_ARGUMENT with the offset of the first byte that is wrong.
absl::StatusOr<std::u32string> Utf8ToCodePoints(std::string_view text);

// Whether Utf8ToCodePoints would take it, and the same error if not.
absl::Status CheckUtf8(std::string_view text);

// The text with a '?' for every byte that is not UTF-8: for words of the system on their way into a message.
std::string ToValidUtf8(std::string_view text);

// REQUIRES: code_point came from the functions above.
void AppendUtf8(char32_t code_point, std::string* text);

}  // namespace ridgeline
