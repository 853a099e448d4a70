// SPDX-License-Identifier: Apache-2.0
// What depends on the terminal: colours, width, progress bars, lines that are redrawn in place; and numbers for people.
// Nothing here is thread-safe except the pure functions.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace ridgeline {

enum class Color { kPlain, kRed, kGreen, kYellow, kBlue, kGray, kBold };

// How text may look on one output.
struct Style {
  bool color = false;
  bool utf8 = false;
  int width = 0;    // Columns; 0: as many as it takes.
  int height = 24;  // Lines.
};

bool IsTty(FILE* file);

// Colours only on a terminal, and never with NO_COLOR (any value but empty) or TERM=dumb.
Style StyleOf(FILE* file);

std::string Paint(std::string_view text, Color color, const Style& style);

// `width` columns, filled up to `fraction` (held to 0..1).
std::string ProgressBar(double fraction, int width, const Style& style);

// Columns that the text takes, without colour codes.
int DisplayWidth(std::string_view text);

// Cut to `width` columns; colour codes stay whole and end with a reset.
std::string FitWidth(std::string_view text, int width);

std::string PadRight(std::string_view text, int width);
std::string PadLeft(std::string_view text, int width);

// "950", "18.2k", "3.41M"
std::string HumanCount(double value);
// "512 B", "1.4 MiB"
std::string HumanBytes(double bytes);
// "0:07", "12:05", "3:01:09", "4d 2h"; "-" for negative or non-finite.
std::string HumanSeconds(double seconds);
// "7s", "12m", "3h", "4d": how long ago.
std::string HumanAge(int64_t milliseconds);

// Lines at the bottom of a terminal that are redrawn in place.
class LiveBlock {
 public:
  // Borrows `file`. REQUIRES: it is a terminal.
  explicit LiveBlock(FILE* file) : file_(file) {}
  void Draw(const std::vector<std::string>& lines);
  // Removes the lines, so that other output can follow.
  void Clear();

 private:
  FILE* file_;
  int drawn_lines_ = 0;
};

}  // namespace ridgeline
