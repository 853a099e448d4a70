// SPDX-License-Identifier: Apache-2.0
// A GGUF file's checked contents, before they become a GgufFile. For this room only.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "weights/gguf.h"

namespace ridgeline {

struct GgufContents {
  WeightFile::Contents file;  // Without mappings
  GgufValues values;
};

// As ParseGguf.
absl::StatusOr<GgufContents> ParseGgufContents(std::string_view bytes, const std::string& name);

// Bytes of one element; 0 for text and arrays.
uint64_t GgufElementBytes(GgufType type);

inline constexpr uint64_t kGgufDefaultAlignment = 32;
inline constexpr char kGgufAlignmentKey[] = "general.alignment";

}  // namespace ridgeline
