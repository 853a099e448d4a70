// SPDX-License-Identifier: Apache-2.0
// Where texts may be cut for vocabularies whose tokens never go on after a line break.
#pragma once

#include <cstddef>
#include <string_view>

namespace ridgeline {

// A line break followed by something else: no text may be cut there if such a token exists.
bool ContinuesAfterLineBreak(std::string_view token);

// The first place from `offset` on between a line break and something else, or text.size(). REQUIRES: offset > 0.
size_t LineCutAfter(std::string_view text, size_t offset);

}  // namespace ridgeline
