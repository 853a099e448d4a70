// SPDX-License-Identifier: Apache-2.0
// A GGUF file's checked contents, before they become a GgufFile. For this room only.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "weights/gguf.h"

namespace ridgeline {

struct GgufContents {
  WeightFile::Contents file;  // Without mappings
  GgufValues values;
};

// As ParseGguf.
absl::StatusOr<GgufContents> ParseGgufContents(std::string_view bytes, const std::string& name);

struct GgufPart {
  std::string path;  // Of errors
  GgufContents contents;
};

// One model of all of its parts, by number; its metadata is that of the first. DATA_LOSS if they are not those of one
// model. REQUIRES: at least one.
absl::StatusOr<std::unique_ptr<GgufFile>> JoinGgufParts(std::vector<GgufPart> parts);

// Bytes of one element; 0 for text and arrays.
uint64_t GgufElementBytes(GgufType type);

inline constexpr uint64_t kGgufDefaultAlignment = 32;
inline constexpr char kGgufAlignmentKey[] = "general.alignment";

}  // namespace ridgeline
