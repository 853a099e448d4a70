// SPDX-License-Identifier: Apache-2.0
#include "inference/status_line.h"

#include <unistd.h>

#include <cstdio>

#include "common/print.h"
#include "fmt/format.h"

namespace ridgeline {

StatusLine::StatusLine() : is_terminal_(isatty(STDERR_FILENO) == 1) {}

void StatusLine::Show(const std::string& text) {
  if (!is_terminal_) return;
  PrintErr("\r\x1b[K{}", text);
  std::fflush(stderr);
  is_drawn_ = true;
}

void StatusLine::Clear() {
  if (!is_drawn_) return;
  PrintErr("\r\x1b[K");
  std::fflush(stderr);
  is_drawn_ = false;
}

}  // namespace ridgeline
