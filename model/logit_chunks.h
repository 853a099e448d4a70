// SPDX-License-Identifier: Apache-2.0
// How the head's rows are cut so that logits never exist whole. No LibTorch: ridgeline plan counts them, too.
#pragma once

#include <algorithm>
#include <cstdint>

namespace ridgeline {

// Logits that exist at once, at most (unless one row has more).
inline constexpr int64_t kLogitsInMemory = int64_t{1} << 26;

inline int64_t LogitRowsAtOnce(int64_t vocab_size) { return std::max<int64_t>(1, kLogitsInMemory / vocab_size); }

}  // namespace ridgeline
