// SPDX-License-Identifier: Apache-2.0
#include "data/encode_parts.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>

namespace ridgeline {
namespace {

// Large enough that the cost of a call vanishes, small enough for the caches and a smooth bar.
constexpr size_t kPartBytes = size_t{1} << 14;
constexpr size_t kPartsAThread = 32;  // In a batch; then the ids are put in order.

using Ids = std::vector<uint32_t>;

// Up to `count` parts from `*begin` on, which moves behind them.
std::vector<std::string_view> TakeParts(const Tokenizer& tokenizer, std::string_view text, size_t count,
                                        size_t* begin) {
  std::vector<std::string_view> parts;
  while (parts.size() < count && *begin < text.size()) {
    const std::string_view rest = text.substr(*begin);
    parts.push_back(rest.substr(0, tokenizer.CutAfter(rest, std::min(kPartBytes, rest.size()))));
    *begin += parts.back().size();
  }
  return parts;
}

// Nothing if one of them cannot be encoded.
std::optional<std::vector<Ids>> EncodeAll(const Tokenizer& tokenizer, const std::vector<std::string_view>& parts,
                                          int threads) {
  std::vector<Ids> ids(parts.size());
  std::atomic<size_t> next = 0;
  std::atomic<bool> failed = false;
  const auto work = [&] {
    for (size_t i = next++; i < parts.size() && !failed; i = next++) {
      absl::StatusOr<Ids> encoded = tokenizer.Encode(parts[i]);
      if (!encoded.ok()) failed = true;
      if (encoded.ok()) ids[i] = *std::move(encoded);
    }
  };
  {
    std::vector<std::jthread> others;
    for (int i = 1; i < threads; ++i) others.emplace_back(work);
    work();
  }
  if (failed) return std::nullopt;
  return ids;
}

}  // namespace

absl::StatusOr<Ids> EncodeInParts(const Tokenizer& tokenizer, std::string_view text,
                                  const std::function<void(double fraction)>& progress, int threads) {
  Ids ids;
  for (size_t begin = 0; begin < text.size();) {
    const size_t batch = kPartsAThread * static_cast<size_t>(threads);
    const std::vector<std::string_view> parts = TakeParts(tokenizer, text, batch, &begin);
    const std::optional<std::vector<Ids>> encoded = EncodeAll(tokenizer, parts, threads);
    // The offsets in its message shall count from the text's beginning.
    if (!encoded.has_value()) return tokenizer.Encode(text).status();
    for (const Ids& part : *encoded) ids.insert(ids.end(), part.begin(), part.end());
    if (progress) progress(static_cast<double>(begin) / static_cast<double>(text.size()));
  }
  return ids;
}

}  // namespace ridgeline
