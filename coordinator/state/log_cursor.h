// SPDX-License-Identifier: Apache-2.0
// LogLine.cursor: where a reader of log lines stands, in one number.
#pragma once

#include <cstdint>

#include "coordinator/state/metric_store.h"

namespace ridgeline {

inline constexpr int kCursorSequenceBits = 32, kCursorLineBits = 16;  // Epochs have what is left of 63.

inline int64_t LowBits(int64_t value, int bits) { return value & ((int64_t{1} << bits) - 1); }

inline int64_t PackLogCursor(const LogCursor& cursor) {
  return cursor.epoch << (kCursorSequenceBits + kCursorLineBits) |
         LowBits(cursor.sequence, kCursorSequenceBits) << kCursorLineBits | LowBits(cursor.line + 1, kCursorLineBits);
}

inline LogCursor UnpackLogCursor(int64_t packed) {
  return {packed >> (kCursorSequenceBits + kCursorLineBits), LowBits(packed >> kCursorLineBits, kCursorSequenceBits),
          LowBits(packed, kCursorLineBits) - 1};
}

}  // namespace ridgeline
