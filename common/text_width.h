// SPDX-License-Identifier: Apache-2.0
// How much room text takes: columns of a terminal, which East Asian characters and emoji take two of and combining
// marks none. Thread-safe, whatever the process's locale.
#pragma once

#include <string>
#include <string_view>

namespace ridgeline {

// 0, 1 or 2.
int ColumnsOf(char32_t code_point);

// Of all characters; a byte that is not UTF-8 counts as one.
int ColumnsOf(std::string_view text);

// The beginning of the text that takes at most `columns`, with all marks of its last character.
std::string_view FirstColumns(std::string_view text, int columns);

// The text itself, or its beginning and "…" where it takes more than `columns`. REQUIRES: columns > 0.
std::string Shortened(std::string_view text, int columns);

}  // namespace ridgeline
