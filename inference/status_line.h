// SPDX-License-Identifier: Apache-2.0
// One line on standard error that is redrawn in place; on a terminal only.
#pragma once

#include <string>

namespace ridgeline {

// One thread at a time. The line is removed at the end.
class StatusLine {
 public:
  StatusLine();
  ~StatusLine() { Clear(); }
  StatusLine(const StatusLine&) = delete;
  StatusLine& operator=(const StatusLine&) = delete;

  bool is_shown() const { return is_terminal_; }
  void Show(const std::string& text);
  void Clear();

 private:
  bool is_terminal_;
  bool is_drawn_ = false;
};

}  // namespace ridgeline
