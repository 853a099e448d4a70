// SPDX-License-Identifier: Apache-2.0
// Long texts in parts, so that progress shows and caches hold.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "data/tokenizer.h"

namespace ridgeline {

// The same ids and errors as tokenizer.Encode(text). Calls `progress` (may be empty) after each part with the fraction
// that is done.
absl::StatusOr<std::vector<uint32_t>> EncodeInParts(const Tokenizer& tokenizer, std::string_view text,
                                                    const std::function<void(double fraction)>& progress);

}  // namespace ridgeline
