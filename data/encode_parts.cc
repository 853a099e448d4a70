// SPDX-License-Identifier: Apache-2.0
#include "data/encode_parts.h"

#include <algorithm>

namespace ridgeline {
namespace {

// Large enough that the cost of a call vanishes, small enough for the caches and a smooth bar.
constexpr size_t kPartBytes = size_t{1} << 14;

}  // namespace

absl::StatusOr<std::vector<uint32_t>> EncodeInParts(const Tokenizer& tokenizer, std::string_view text,
                                                    const std::function<void(double fraction)>& progress) {
  std::vector<uint32_t> ids;
  for (size_t begin = 0; begin < text.size();) {
    const std::string_view rest = text.substr(begin);
    const std::string_view part = rest.substr(0, tokenizer.CutAfter(rest, std::min(kPartBytes, rest.size())));
    auto part_ids = tokenizer.Encode(part);
    // The offsets in its message shall count from the text's beginning.
    if (!part_ids.ok()) return tokenizer.Encode(text).status();
    ids.insert(ids.end(), part_ids->begin(), part_ids->end());
    begin += part.size();
    if (progress) progress(static_cast<double>(begin) / static_cast<double>(text.size()));
  }
  return ids;
}

}  // namespace ridgeline
