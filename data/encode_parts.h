// SPDX-License-Identifier: Apache-2.0
// Long texts in parts, so that progress shows, caches hold and all cores work; many documents one behind another.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
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

// What stands around each document.
struct DocumentMarks {
  std::optional<uint32_t> before, after;
};
// bos where the tokenizer's texts begin with it, eos where it has one.
DocumentMarks MarksOf(const Tokenizer& tokenizer);

// The documents' ids with their marks, in order; the rest as EncodeInParts. After an error *failed is the document's
// number, from 0.
absl::StatusOr<std::vector<uint32_t>> EncodeDocuments(const Tokenizer& tokenizer,
                                                      std::span<const std::string_view> documents,
                                                      const DocumentMarks& marks,
                                                      const std::function<void(double fraction)>& progress, int threads,
                                                      size_t* failed);

}  // namespace ridgeline
