// SPDX-License-Identifier: Apache-2.0
// Which characters this machine's fonts have. What none has, gnuplot's PNG would show as boxes larger than the picture.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ridgeline {

class Glyphs {
 public:
  // As fontconfig writes the characters of a font: "20-7e a0 4e00-9fff", in hexadecimal, a font a line.
  static Glyphs Parse(std::string_view charsets);
  // Of all installed fonts, by fc-list. Where that is missing: Latin, Greek and Cyrillic letters.
  static Glyphs OfInstalledFonts();

  bool Has(char32_t code_point) const;

 private:
  std::vector<std::pair<char32_t, char32_t>> ranges_;  // Sorted, first to last.
};

// The text with "□" for each character that is missing, and without invisible ones that are; each missing one is added
// to `missing` once.
std::string WithoutMissing(std::string_view text, const Glyphs& glyphs, std::string* missing);

}  // namespace ridgeline
