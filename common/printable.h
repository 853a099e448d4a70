// SPDX-License-Identifier: Apache-2.0
// Text of others on its way to a terminal or a log.
#pragma once

#include <string>
#include <string_view>

namespace ridgeline {

// The text with a '?' for everything that moves a cursor, changes colours or turns the order of letters round: control
// characters (C0 without line feed and tab, DEL, C1), marks and overrides of writing direction, the separators of lines
// and paragraphs, and bytes that are not UTF-8.
std::string Printable(std::string_view text);

// The same in one line (a blank for each line feed and tab), cut before `max_bytes`.
std::string PrintableLine(std::string_view text, size_t max_bytes = 4096);

}  // namespace ridgeline
