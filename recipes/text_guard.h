// SPDX-License-Identifier: Apache-2.0
// What is refused before a YAML parser sees the text: too long, not UTF-8, control characters (yaml-cpp takes
// 0x04 for the end of the file). One pass, no allocation but for the message.
#pragma once

#include <cstddef>
#include <string_view>

#include "recipes/findings.h"

namespace ridgeline::recipe_internal {

// Where the first byte sequence is that is not UTF-8; npos if there is none.
size_t FindInvalidUtf8(std::string_view text);

// Reports at most one problem; true if the text may be parsed.
bool CheckRecipeText(std::string_view text, Findings* findings);

}  // namespace ridgeline::recipe_internal
