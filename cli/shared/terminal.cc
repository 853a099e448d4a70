// SPDX-License-Identifier: Apache-2.0
// Terminal detection, bars and human numbers.
#include "cli/shared/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "common/text_width.h"

namespace ridgeline {
namespace {

constexpr std::string_view kReset = "\x1b[0m";

std::string_view CodeOf(Color color) {
  switch (color) {
    case Color::kRed:
      return "\x1b[31m";
    case Color::kGreen:
      return "\x1b[32m";
    case Color::kYellow:
      return "\x1b[33m";
    case Color::kBlue:
      return "\x1b[36m";
    case Color::kGray:
      return "\x1b[90m";
    case Color::kBold:
      return "\x1b[1m";
    case Color::kPlain:
      return "";
  }
  return "";
}

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool LocaleIsUtf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string value = Environment(name);
    if (value.empty()) continue;
    return value.find("UTF-8") != std::string::npos || value.find("utf8") != std::string::npos ||
           value.find("UTF8") != std::string::npos;
  }
  return false;
}

// Bytes of the escape sequence that starts at `text[at]`; 0 if none does.
size_t EscapeLength(std::string_view text, size_t at) {
  if (text[at] != '\x1b' || at + 1 >= text.size() || text[at + 1] != '[') return 0;
  size_t end = at + 2;
  while (end < text.size() && (text[end] < '@' || text[end] > '~')) ++end;
  return std::min(end + 1, text.size()) - at;
}

}  // namespace

bool IsTty(FILE* file) { return isatty(fileno(file)) == 1; }

Style StyleOf(FILE* file) {
  Style style;
  style.utf8 = LocaleIsUtf8();
  if (!IsTty(file)) return style;
  style.color = Environment("NO_COLOR").empty() && Environment("TERM") != "dumb";
  style.width = 80;
  winsize size{};
  if (ioctl(fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    style.width = size.ws_col;
    style.height = std::max<int>(size.ws_row, 4);
  }
  return style;
}

std::string Paint(std::string_view text, Color color, const Style& style) {
  if (!style.color || color == Color::kPlain) return std::string(text);
  return fmt::format("{}{}{}", CodeOf(color), text, kReset);
}

std::string ProgressBar(double fraction, int width, const Style& style) {
  const double held = std::isfinite(fraction) ? std::clamp(fraction, 0.0, 1.0) : 0.0;
  const int full = static_cast<int>(std::floor(held * width + 1e-9));
  std::string done, rest;
  for (int i = 0; i < full; ++i) done += style.utf8 ? "━" : "#";
  for (int i = full; i < width; ++i) rest += style.utf8 ? (style.color ? "━" : "─") : "-";
  if (!style.utf8) return fmt::format("[{}{}]", Paint(done, Color::kBlue, style), Paint(rest, Color::kGray, style));
  return Paint(done, Color::kBlue, style) + Paint(rest, Color::kGray, style);
}

int DisplayWidth(std::string_view text) {
  int columns = 0;
  for (size_t i = 0; i < text.size();) {
    const size_t escape = std::min(text.find('\x1b', i), text.size());
    columns += ColumnsOf(text.substr(i, escape - i));
    i = escape;
    if (i < text.size()) i += std::max<size_t>(1, EscapeLength(text, i));
  }
  return columns;
}

std::string FitWidth(std::string_view text, int width) {
  if (DisplayWidth(text) <= width) return std::string(text);
  std::string out;
  bool escaped = false;
  for (size_t i = 0; i < text.size() && width >= 0;) {
    const size_t escape = std::min(text.find('\x1b', i), text.size());
    const std::string_view plain = text.substr(i, escape - i), shown = FirstColumns(plain, width);
    out += shown;
    if (shown.size() < plain.size()) break;
    width -= ColumnsOf(plain);
    const size_t length = escape < text.size() ? std::max<size_t>(1, EscapeLength(text, escape)) : 0;
    escaped = escaped || length > 0;
    out += text.substr(escape, length);
    i = escape + length;
  }
  if (escaped) out += kReset;
  return out;
}

std::string PadRight(std::string_view text, int width) {
  return std::string(text) + std::string(std::max(0, width - DisplayWidth(text)), ' ');
}

std::string PadLeft(std::string_view text, int width) {
  return std::string(std::max(0, width - DisplayWidth(text)), ' ') + std::string(text);
}

std::string HumanCount(double value) {
  if (!std::isfinite(value)) return "-";
  constexpr const char* kUnits[] = {"", "k", "M", "G", "T", "P"};
  size_t unit = 0;
  double scaled = value;
  while (std::abs(scaled) >= 999.5 && unit + 1 < std::size(kUnits)) {
    scaled /= 1000;
    ++unit;
  }
  if (unit == 0) return scaled == std::floor(scaled) ? fmt::format("{:.0f}", scaled) : fmt::format("{:.1f}", scaled);
  const int digits = std::abs(scaled) < 9.995 ? 2 : std::abs(scaled) < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f}{}", scaled, digits, kUnits[unit]);
}

std::string HumanBytes(double bytes) {
  if (!std::isfinite(bytes)) return "-";
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  size_t unit = 0;
  double scaled = bytes;
  while (std::abs(scaled) >= 1023.95 && unit + 1 < std::size(kUnits)) {
    scaled /= 1024;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", scaled, unit == 0 ? 0 : 1, kUnits[unit]);
}

std::string HumanSeconds(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "-";
  const auto whole = static_cast<int64_t>(std::min(seconds, 1e12) + 0.5);
  const int64_t days = whole / 86400, hours = whole / 3600 % 24, minutes = whole / 60 % 60;
  if (days > 0) return fmt::format("{}d {}h", days, hours);
  if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, minutes, whole % 60);
  return fmt::format("{}:{:02}", minutes, whole % 60);
}

std::string HumanAge(int64_t milliseconds) {
  const int64_t seconds = std::max<int64_t>(0, milliseconds / 1000);
  if (seconds < 120) return fmt::format("{}s", seconds);
  if (seconds < 7200) return fmt::format("{}m", seconds / 60);
  if (seconds < 172800) return fmt::format("{}h", seconds / 3600);
  return fmt::format("{}d", seconds / 86400);
}

void LiveBlock::Draw(const std::vector<std::string>& lines) {
  std::string out;
  if (drawn_lines_ > 0) out += fmt::format("\x1b[{}A", drawn_lines_);
  for (const std::string& line : lines) out += "\r\x1b[2K" + line + "\n";
  out += "\x1b[0J";
  std::fwrite(out.data(), 1, out.size(), file_);
  std::fflush(file_);
  drawn_lines_ = static_cast<int>(lines.size());
}

void LiveBlock::Clear() {
  if (drawn_lines_ > 0) Draw({});
}

}  // namespace ridgeline
