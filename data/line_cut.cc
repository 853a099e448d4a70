// SPDX-License-Identifier: Apache-2.0
#include "data/line_cut.h"

#include <algorithm>

namespace ridgeline {

bool ContinuesAfterLineBreak(std::string_view token) { return !token.empty() && LineCutAfter(token, 1) < token.size(); }

size_t LineCutAfter(std::string_view text, size_t offset) {
  while (offset < text.size() && !(text[offset - 1] == '\n' && text[offset] != '\n')) ++offset;
  return std::min(offset, text.size());
}

}  // namespace ridgeline
