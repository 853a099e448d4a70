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

std::string Hex(char c) { return fmt::format("\\x{:02x}", static_cast<unsigned char>(c)); }

// yaml-cpp looks ahead to the end of a bracket before it tells us of its start, which is slow for a text of
// nothing but brackets. Where it is deeper than this, counting without regard to quotes, it is not read at all.
constexpr int kMaxOpenBrackets = 1000;

size_t FindTooManyOpenBrackets(std::string_view text) {
  int open = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '[' || text[i] == '{') ++open;
    if ((text[i] == ']' || text[i] == '}') && open > 0) --open;
    if (open > kMaxOpenBrackets) return i;
  }
  return std::string_view::npos;
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
  size_t control_at = std::find_if(text.begin(), text.end(), IsRefusedControl) - text.begin();
  if (control_at < text.size()) {
    findings->AddAt(PlaceOf(text, control_at), "",
                    fmt::format("the text holds the control character {}", Hex(text[control_at])),
                    "recipes are plain text");
    return false;
  }
  size_t invalid_at = FindInvalidUtf8(text);
  if (invalid_at != std::string_view::npos) {
    findings->AddAt(PlaceOf(text, invalid_at), "",
                    fmt::format("the text is not UTF-8 (byte {})", Hex(text[invalid_at])), "save the file as UTF-8");
    return false;
  }
  size_t brackets_at = FindTooManyOpenBrackets(text);
  if (brackets_at != std::string_view::npos) {
    findings->AddAt(PlaceOf(text, brackets_at), "", fmt::format("over {} brackets are open", kMaxOpenBrackets),
                    "close each [ and {");
    return false;
  }
  return true;
}

}  // namespace ridgeline::recipe_internal
