// SPDX-License-Identifier: Apache-2.0
#include "data/char_tokenizer.h"

#include <algorithm>
#include <set>

#include "common/status_macros.h"
#include "common/utf8.h"
#include "fmt/format.h"

namespace ridgeline {
namespace {

class CharTokenizer : public Tokenizer {
 public:
  explicit CharTokenizer(std::u32string vocabulary) : vocabulary_(std::move(vocabulary)) {}

  std::string kind() const override { return "char"; }
  int64_t vocab_size() const override { return static_cast<int64_t>(vocabulary_.size()); }

  absl::StatusOr<std::vector<uint32_t>> Encode(std::string_view text) const override {
    std::vector<uint32_t> ids;
    ids.reserve(text.size());
    for (size_t offset = 0; offset < text.size();) {
      Utf8Character character = Utf8At(text, offset);
      if (character.size == 0) return Utf8ToCodePoints(text).status();
      auto place = std::lower_bound(vocabulary_.begin(), vocabulary_.end(), character.code_point);
      if (place == vocabulary_.end() || *place != character.code_point) {
        return absl::InvalidArgumentError(
            fmt::format("character U+{:04X} at byte offset {} is not among the {} characters of the vocabulary",
                        static_cast<uint32_t>(character.code_point), offset, vocabulary_.size()));
      }
      ids.push_back(static_cast<uint32_t>(place - vocabulary_.begin()));
      offset += character.size;
    }
    return ids;
  }

  std::string BytesOf(uint32_t id) const override {
    std::string bytes;
    AppendUtf8(vocabulary_[id], &bytes);
    return bytes;
  }

  size_t CutAfter(std::string_view text, size_t offset) const override {
    while (offset < text.size() && Utf8At(text, offset).size == 0) ++offset;
    return offset;
  }

  std::string ToJson() const override {
    nlohmann::json entries = nlohmann::json::array();
    for (char32_t code_point : vocabulary_) {
      std::string entry;
      AppendUtf8(code_point, &entry);
      entries.push_back(entry);
    }
    return nlohmann::json{{"kind", kind()}, {"vocabulary", entries}}.dump();
  }

 private:
  std::u32string vocabulary_;  // Rising; the index is the id.
};

absl::StatusOr<char32_t> CodePointOfEntry(const nlohmann::json& entry, size_t index) {
  if (entry.is_string()) {
    const auto& text = entry.get_ref<const std::string&>();
    Utf8Character character = text.empty() ? Utf8Character{} : Utf8At(text, 0);
    if (character.size != 0 && character.size == text.size()) return character.code_point;
  }
  return absl::DataLossError(fmt::format("vocabulary entry {} is not a text of one character", index));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> MakeCharTokenizer(std::string_view text) {
  ASSIGN_OR_RETURN(std::u32string code_points, Utf8ToCodePoints(text));
  if (code_points.empty())
    return absl::InvalidArgumentError("the text is empty: a vocabulary needs at least one character");
  std::set<char32_t> distinct(code_points.begin(), code_points.end());
  return std::make_unique<CharTokenizer>(std::u32string(distinct.begin(), distinct.end()));
}

absl::StatusOr<std::unique_ptr<Tokenizer>> CharTokenizerFromJson(const nlohmann::json& json) {
  auto entries = json.find("vocabulary");
  if (entries == json.end() || !entries->is_array() || entries->empty())
    return absl::DataLossError("a char tokenizer needs 'vocabulary', a list of at least one character");
  std::u32string vocabulary;
  for (const nlohmann::json& entry : *entries) {
    ASSIGN_OR_RETURN(char32_t code_point, CodePointOfEntry(entry, vocabulary.size()));
    if (!vocabulary.empty() && vocabulary.back() >= code_point) {
      return absl::DataLossError(fmt::format("vocabulary entry {} is not above the one before it", vocabulary.size()));
    }
    vocabulary.push_back(code_point);
  }
  return std::make_unique<CharTokenizer>(std::move(vocabulary));
}

}  // namespace ridgeline
