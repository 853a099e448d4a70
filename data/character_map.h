// SPDX-License-Identifier: Apache-2.0
// The check of a SentencePiece character map (precompiled_charsmap), which libsentencepiece walks without one.
#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace ridgeline {

// The map is a u32 size, a double-array trie of that many bytes (u32 units), and replacement strings that end in zero
// bytes; or empty. DATA_LOSS if a walk through the trie for any text could leave it, or find a replacement outside.
absl::Status CheckCharacterMap(std::string_view map);

}  // namespace ridgeline
