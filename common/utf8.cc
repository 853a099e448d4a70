// SPDX-License-Identifier: Apache-2.0
// UTF-8 by utfcpp.
#include "common/utf8.h"

#include <utf8cpp/utf8/checked.h>

#include <iterator>

#include "fmt/format.h"

namespace ridgeline {

Utf8Character Utf8At(std::string_view text, size_t offset) {
  if (static_cast<unsigned char>(text[offset]) < 0x80) return {static_cast<char32_t>(text[offset]), 1};
  const auto begin = text.begin() + static_cast<std::ptrdiff_t>(offset);
  auto end = begin;
  try {
    const char32_t code_point = static_cast<char32_t>(utf8::next(end, text.end()));
    return {code_point, static_cast<size_t>(end - begin)};
  } catch (const utf8::exception&) {  // The library's way of saying no.
    return {};
  }
}

absl::Status CheckUtf8(std::string_view text) {
  const auto wrong = utf8::find_invalid(text.begin(), text.end());
  if (wrong == text.end()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("not UTF-8 at byte offset {} (byte 0x{:02x}); convert the text first, for instance with iconv",
                  wrong - text.begin(), static_cast<unsigned char>(*wrong)));
}

absl::StatusOr<std::u32string> Utf8ToCodePoints(std::string_view text) {
  if (const absl::Status status = CheckUtf8(text); !status.ok()) return status;
  std::u32string code_points;
  code_points.reserve(text.size());
  utf8::utf8to32(text.begin(), text.end(), std::back_inserter(code_points));
  return code_points;
}

void AppendUtf8(char32_t code_point, std::string* text) {
  utf8::append(static_cast<uint32_t>(code_point), std::back_inserter(*text));
}

std::string ToValidUtf8(std::string_view text) {
  std::string valid;
  for (auto at = text.begin(); at != text.end();) {
    const auto wrong = utf8::find_invalid(at, text.end());
    valid.append(at, wrong);
    if (wrong == text.end()) break;
    valid += '?';
    at = wrong + 1;
  }
  return valid;
}

}  // namespace ridgeline
