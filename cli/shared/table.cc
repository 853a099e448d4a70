// SPDX-License-Identifier: Apache-2.0
// Aligned columns: the width of a column is that of its widest cell.
#include "cli/shared/table.h"

#include <algorithm>

namespace ridgeline {

void Table::AddRow(std::vector<std::string> cells) {
  for (std::string& cell : cells) {
    if (cell.empty()) cell = "-";
    std::replace_if(
        cell.begin(), cell.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  }
  rows_.push_back(std::move(cells));
}

std::string Table::ToString(const Style& style) const {
  std::vector<int> widths;
  for (size_t c = 0; c < columns_.size(); ++c) {
    int width = DisplayWidth(columns_[c].title);
    for (const auto& row : rows_) width = std::max(width, DisplayWidth(row[c]));
    widths.push_back(width);
  }
  const auto render = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (size_t c = 0; c < cells.size(); ++c) {
      if (c > 0) line += "  ";
      line += columns_[c].right ? PadLeft(cells[c], widths[c]) : PadRight(cells[c], widths[c]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    return (columns_.back().shrinks && style.width > 0 ? FitWidth(line, style.width) : line) + "\n";
  };
  std::vector<std::string> titles;
  for (const Column& column : columns_) titles.push_back(Paint(column.title, Color::kBold, style));
  std::string out = render(titles);
  for (const auto& row : rows_) out += render(row);
  return out;
}

}  // namespace ridgeline
