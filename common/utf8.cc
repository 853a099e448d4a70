// SPDX-License-Identifier: Apache-2.0
#include "common/utf8.h"

#include "fmt/format.h"

namespace ridgeline {
namespace {

// The first byte tells the length, the bits it contributes and the smallest code point that needs that length.
struct Lead {
  size_t size;
  char32_t bits;
  char32_t smallest;
};

Lead LeadOf(unsigned char byte) {
  if (byte < 0x80) return {1, byte, 0};
  if ((byte & 0xE0) == 0xC0) return {2, byte & 0x1Fu, 0x80};
  if ((byte & 0xF0) == 0xE0) return {3, byte & 0x0Fu, 0x800};
  if ((byte & 0xF8) == 0xF0) return {4, byte & 0x07u, 0x10000};
  return {0, 0, 0};
}

bool IsScalarValue(char32_t code_point) {
  return code_point <= 0x10FFFF && !(code_point >= 0xD800 && code_point <= 0xDFFF);
}

}  // namespace

Utf8Character Utf8At(std::string_view text, size_t offset) {
  Lead lead = LeadOf(static_cast<unsigned char>(text[offset]));
  if (lead.size == 0 || text.size() - offset < lead.size) return {};
  char32_t code_point = lead.bits;
  for (size_t i = 1; i < lead.size; ++i) {
    unsigned char byte = static_cast<unsigned char>(text[offset + i]);
    if ((byte & 0xC0) != 0x80) return {};
    code_point = (code_point << 6) | (byte & 0x3Fu);
  }
  if (code_point < lead.smallest || !IsScalarValue(code_point)) return {};
  return {code_point, lead.size};
}

absl::StatusOr<std::u32string> Utf8ToCodePoints(std::string_view text) {
  std::u32string code_points;
  code_points.reserve(text.size());
  for (size_t offset = 0; offset < text.size();) {
    Utf8Character character = Utf8At(text, offset);
    if (character.size == 0) {
      return absl::InvalidArgumentError(
          fmt::format("not UTF-8 at byte offset {} (byte 0x{:02x}); convert the text first, for instance with iconv",
                      offset, static_cast<unsigned char>(text[offset])));
    }
    code_points.push_back(character.code_point);
    offset += character.size;
  }
  return code_points;
}

void AppendUtf8(char32_t code_point, std::string* text) {
  auto put = [text](char32_t byte) { text->push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | (code_point >> 6));
    put(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    put(0xE0 | (code_point >> 12));
    put(0x80 | ((code_point >> 6) & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | (code_point >> 18));
    put(0x80 | ((code_point >> 12) & 0x3F));
    put(0x80 | ((code_point >> 6) & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
}

std::string ToValidUtf8(std::string_view text) {
  std::string valid;
  for (size_t at = 0; at < text.size();) {
    const size_t size = Utf8At(text, at).size;
    if (size == 0)
      valid += '?';
    else
      valid.append(text.substr(at, size));
    at += size == 0 ? 1 : size;
  }
  return valid;
}

}  // namespace ridgeline
