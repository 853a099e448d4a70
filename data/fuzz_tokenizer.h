// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets demand of every tokenizer that foreign bytes gave.
#pragma once

#include <cstdlib>
#include <memory>
#include <string>

#include "data/tokenizer.h"

namespace ridgeline {

// Refused bytes are DATA_LOSS or UNIMPLEMENTED, or NOT_FOUND where there is no tokenizer. An accepted one works, is
// kept whole by ToJson and FileBytes, and names no id outside its vocabulary.
inline void CheckFuzzedTokenizer(const absl::StatusOr<std::unique_ptr<Tokenizer>>& tokenizer) {
  if (!tokenizer.ok()) {
    const absl::StatusCode code = tokenizer.status().code();
    const bool expected = code == absl::StatusCode::kDataLoss || code == absl::StatusCode::kUnimplemented ||
                          code == absl::StatusCode::kNotFound;
    if (!expected) std::abort();
    return;
  }
  const std::string text = "<s>ab  b\n\xC3\xA9 a<|x|>";
  auto ids = EncodePrompt(**tokenizer, text);
  if (ids.ok() && !(*tokenizer)->Decode(*ids).ok()) std::abort();
  auto again = LoadTokenizer((*tokenizer)->ToJson(), (*tokenizer)->FileBytes());
  if (!again.ok() || (*again)->ToJson() != (*tokenizer)->ToJson()) std::abort();
  auto ids_again = EncodePrompt(**again, text);
  if (ids.ok() != ids_again.ok() || (ids.ok() && *ids != *ids_again)) std::abort();
}

}  // namespace ridgeline
