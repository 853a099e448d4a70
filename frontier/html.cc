// SPDX-License-Identifier: Apache-2.0
#include "frontier/html.h"

#include "common/printable.h"

namespace ridgeline {

std::string Html(std::string_view text) {
  std::string html;
  for (char c : Printable(text)) {
    switch (c) {
      case '&':
        html += "&amp;";
        break;
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '"':
        html += "&quot;";
        break;
      case '\'':
        html += "&#39;";
        break;
      default:
        html += c;
    }
  }
  return html;
}

}  // namespace ridgeline
