// SPDX-License-Identifier: Apache-2.0
// Long texts in parts, so that progress shows, caches hold and all cores work.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "data/tokenizer.h"

namespace ridgeline {

// The same ids and errors as tokenizer.Encode(text), however many threads do it. Calls `progress` (may be empty), on
// the caller's thread, with the fraction that is done.
absl::StatusOr<std::vector<uint32_t>> EncodeInParts(const Tokenizer& tokenizer, std::string_view text,
                                                    const std::function<void(double fraction)>& progress,
                                                    int threads = 1);

}  // namespace ridgeline
