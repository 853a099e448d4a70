// SPDX-License-Identifier: Apache-2.0
#include "frontier/glyphs.h"

#include <algorithm>
#include <charconv>

#include "common/text_width.h"
#include "common/utf8.h"
#include "frontier/run_program.h"

namespace ridgeline {
namespace {

constexpr char kAlways[] = "20-7e a0-24f 370-4ff 2000-206f 20ac 25a1";

bool ReadHex(std::string_view text, char32_t* value) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
  *value = number;
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

}  // namespace

Glyphs Glyphs::Parse(std::string_view charsets) {
  Glyphs glyphs;
  for (size_t at = 0; at < charsets.size();) {
    const size_t end = std::min(charsets.find_first_of(" \n", at), charsets.size());
    const std::string_view word = charsets.substr(at, end - at);
    const size_t dash = word.find('-');
    char32_t first = 0, last = 0;
    if (ReadHex(word.substr(0, dash), &first) &&
        ReadHex(dash == std::string_view::npos ? word : word.substr(dash + 1), &last)) {
      glyphs.ranges_.emplace_back(first, last);
    }
    at = end + 1;
  }
  std::sort(glyphs.ranges_.begin(), glyphs.ranges_.end());
  // Ranges of several fonts overlap: each also reaches as far as those before it.
  for (size_t i = 1; i < glyphs.ranges_.size(); ++i) {
    auto& [first, last] = glyphs.ranges_[i];
    const auto& before = glyphs.ranges_[i - 1];
    if (before.second < first) continue;
    first = before.first;
    last = std::max(last, before.second);
  }
  return glyphs;
}

Glyphs Glyphs::OfInstalledFonts() {
  const absl::StatusOr<ProgramOutput> list = RunProgram({"fc-list", "--format", "%{charset}\n"}, "/");
  const bool is_known = list.ok() && list->exit_code == 0 && !list->text.empty();
  return Parse(is_known ? list->text : kAlways);
}

bool Glyphs::Has(char32_t code_point) const {
  auto after = std::upper_bound(ranges_.begin(), ranges_.end(), code_point,
                                [](char32_t c, const auto& range) { return c < range.first; });
  // Joined ranges start alike: the last of them is the longest.
  return after != ranges_.begin() && std::prev(after)->second >= code_point;
}

std::string WithoutMissing(std::string_view text, const Glyphs& glyphs, std::string* missing) {
  std::string drawn;
  for (size_t i = 0; i < text.size();) {
    const Utf8Character character = Utf8At(text, i);
    const size_t size = std::max<size_t>(1, character.size);
    const std::string_view bytes = text.substr(i, size);
    i += size;
    if (character.size == 0 || character.code_point < 0x80 || glyphs.Has(character.code_point)) {
      drawn += bytes;
      continue;
    }
    if (ColumnsOf(character.code_point) == 0) continue;
    drawn += glyphs.Has(U'□') ? "□" : "?";
    if (missing->find(bytes) == std::string::npos) *missing += bytes;
  }
  return drawn;
}

}  // namespace ridgeline
