// SPDX-License-Identifier: Apache-2.0
// Size, UTF-8 and control characters of a recipe's text.
#include "recipes/text_guard.h"

#include <algorithm>

#include "common/utf8.h"
#include "fmt/format.h"
#include "recipes/recipe_reader.h"

namespace ridgeline::recipe_internal {
namespace {

Place PlaceOf(std::string_view text, size_t offset) {
  std::string_view before = text.substr(0, offset);
  size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0.
  return {1 + static_cast<int>(std::count(before.begin(), before.end(), '\n')),
          1 + static_cast<int>(offset - line_start)};
}

bool IsRefusedControl(char character) {
  unsigned char c = static_cast<unsigned char>(character);
  return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F;
}

}  // namespace

size_t FindInvalidUtf8(std::string_view text) {
  for (size_t offset = 0; offset < text.size();) {
    size_t size = Utf8At(text, offset).size;
    if (size == 0) return offset;
    offset += size;
  }
  return std::string_view::npos;
}

bool CheckRecipeText(std::string_view text, Findings* findings) {
  if (text.size() > kMaxRecipeBytes) {
    findings->AddAt({}, "", fmt::format("the recipe has {} bytes", text.size()),
                    fmt::format("at most {} bytes", kMaxRecipeBytes));
    return false;
  }
  auto control = std::find_if(text.begin(), text.end(), IsRefusedControl);
  size_t control_at = control == text.end() ? std::string_view::npos : control - text.begin();
  size_t invalid_at = FindInvalidUtf8(text);
  if (control_at == std::string_view::npos && invalid_at == std::string_view::npos) return true;
  if (control_at < invalid_at) {
    findings->AddAt(PlaceOf(text, control_at), "",
                    fmt::format("the text holds the control character \\x{:02x}", static_cast<unsigned char>(*control)),
                    "recipes are plain text");
  } else {
    findings->AddAt(PlaceOf(text, invalid_at), "",
                    fmt::format("the text is not UTF-8 (byte \\x{:02x})", static_cast<unsigned char>(text[invalid_at])),
                    "save the file as UTF-8");
  }
  return false;
}

}  // namespace ridgeline::recipe_internal
