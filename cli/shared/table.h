// SPDX-License-Identifier: Apache-2.0
// Aligned columns for people.
#pragma once

#include <string>
#include <vector>

#include "cli/shared/terminal.h"

namespace ridgeline {

class Table {
 public:
  struct Column {
    std::string title;
    bool right = false;    // Numbers.
    bool shrinks = false;  // Of the last column: it is cut at the terminal's edge, where others wrap.
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // REQUIRES: one cell a column. An empty cell shows as "-".
  void AddRow(std::vector<std::string> cells);
  // A header and one line a row; no line ends in spaces.
  std::string ToString(const Style& style) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace ridgeline
