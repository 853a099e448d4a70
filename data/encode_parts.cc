// SPDX-License-Identifier: Apache-2.0
#include "data/encode_parts.h"

#include <algorithm>
#include <atomic>
#include <thread>

namespace ridgeline {
namespace {

// Large enough that the cost of a call vanishes, small enough for the caches and a smooth bar.
constexpr size_t kPartBytes = size_t{1} << 14;
constexpr size_t kPartsAThread = 32;  // In a batch; then the ids are put in order.

using Ids = std::vector<uint32_t>;

struct Part {
  std::string_view text;
  size_t document = 0;
  bool begins = false, ends = false;  // Its document.
};

// Cuts documents into parts, in order.
class Parts {
 public:
  Parts(const Tokenizer& tokenizer, std::span<const std::string_view> documents)
      : tokenizer_(tokenizer), documents_(documents) {}

  // The next ones, at most `count`; none at the end.
  std::vector<Part> Take(size_t count) {
    std::vector<Part> parts;
    while (parts.size() < count && document_ < documents_.size()) parts.push_back(Next());
    return parts;
  }

 private:
  Part Next() {
    const std::string_view rest = documents_[document_].substr(begin_);
    const size_t size = rest.empty() ? 0 : tokenizer_.CutAfter(rest, std::min(kPartBytes, rest.size()));
    const Part part{rest.substr(0, size), document_, begin_ == 0, size == rest.size()};
    begin_ = part.ends ? 0 : begin_ + size;
    document_ += part.ends ? 1 : 0;
    return part;
  }

  const Tokenizer& tokenizer_;
  const std::span<const std::string_view> documents_;
  size_t document_ = 0, begin_ = 0;
};

// Of each part; and whether all could be encoded.
bool EncodeAll(const Tokenizer& tokenizer, const std::vector<Part>& parts, int threads, std::vector<Ids>* ids) {
  ids->assign(parts.size(), {});
  std::atomic<size_t> next = 0;
  std::atomic<bool> failed = false;
  const auto work = [&] {
    for (size_t i = next++; i < parts.size() && !failed; i = next++) {
      absl::StatusOr<Ids> encoded = tokenizer.Encode(parts[i].text);
      if (!encoded.ok()) failed = true;
      if (encoded.ok()) (*ids)[i] = *std::move(encoded);
    }
  };
  std::vector<std::jthread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(work);
  work();
  others.clear();
  return !failed;
}

// Of the first document among the parts' that cannot be encoded: the offsets in its message count from its beginning.
absl::Status FirstError(const Tokenizer& tokenizer, std::span<const std::string_view> documents,
                        const std::vector<Part>& parts, size_t* failed) {
  for (*failed = parts.front().document; *failed <= parts.back().document; ++*failed) {
    if (absl::Status status = tokenizer.Encode(documents[*failed]).status(); !status.ok()) return status;
  }
  return absl::InternalError("a part of a text cannot be encoded, and the text can");
}

}  // namespace

DocumentMarks MarksOf(const Tokenizer& tokenizer) {
  const SpecialTokens special = tokenizer.special_tokens();
  DocumentMarks marks{.before = std::nullopt, .after = special.eos_id};
  if (special.prompt_begins_with_bos) marks.before = special.bos_id;
  return marks;
}

absl::StatusOr<Ids> EncodeDocuments(const Tokenizer& tokenizer, std::span<const std::string_view> documents,
                                    const DocumentMarks& marks, const std::function<void(double fraction)>& progress,
                                    int threads, size_t* failed) {
  size_t total_bytes = 0, done_bytes = 0;
  for (const std::string_view document : documents) total_bytes += document.size();
  Ids ids;
  std::vector<Ids> encoded;
  Parts cutter(tokenizer, documents);
  const size_t batch = kPartsAThread * static_cast<size_t>(threads);
  for (std::vector<Part> parts = cutter.Take(batch); !parts.empty(); parts = cutter.Take(batch)) {
    if (!EncodeAll(tokenizer, parts, threads, &encoded)) return FirstError(tokenizer, documents, parts, failed);
    for (size_t i = 0; i < parts.size(); ++i) {
      if (parts[i].begins && marks.before.has_value()) ids.push_back(*marks.before);
      ids.insert(ids.end(), encoded[i].begin(), encoded[i].end());
      if (parts[i].ends && marks.after.has_value()) ids.push_back(*marks.after);
      done_bytes += parts[i].text.size();
    }
    if (progress && total_bytes > 0) progress(static_cast<double>(done_bytes) / static_cast<double>(total_bytes));
  }
  return ids;
}

absl::StatusOr<Ids> EncodeInParts(const Tokenizer& tokenizer, std::string_view text,
                                  const std::function<void(double fraction)>& progress, int threads) {
  size_t failed = 0;
  return EncodeDocuments(tokenizer, std::span(&text, text.empty() ? 0 : 1), DocumentMarks(), progress, threads,
                         &failed);
}

}  // namespace ridgeline
