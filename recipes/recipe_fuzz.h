// SPDX-License-Identifier: Apache-2.0
// What must hold for any text; libFuzzer finds the texts, and a test replays those that it found.
#pragma once

#include <string>
#include <string_view>

namespace ridgeline {

// Reads the text; if it is a good recipe, writes and reads it again and expands it. What went wrong; else empty.
std::string CheckAnyRecipeText(std::string_view text);

}  // namespace ridgeline
