// SPDX-License-Identifier: Apache-2.0
#include "data/vocab_and_merges.h"

#include "common/status_macros.h"
#include "data/hf_json.h"
#include "fmt/format.h"
#include "weights/file_kind.h"
#include "weights/json.h"

namespace ridgeline {
namespace {

constexpr char kEndOfText[] = "<|endoftext|>";

// The first line may state a version ("#version: 0.2"): a merge of "#version:" it is not.
absl::Status ReadMergeLines(std::string_view text, BpeVocabulary* vocabulary) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  for (size_t line_number = 1; !text.empty(); ++line_number) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || (line_number == 1 && line.starts_with("#version"))) continue;
    auto pair = SplitMerge(line);
    if (!pair.has_value()) return Wrong(fmt::format("merges.txt line {}", line_number), "two tokens with one space");
    vocabulary->merges.push_back(*std::move(pair));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<BpeVocabulary> ParseVocabAndMerges(std::string_view vocab_json, std::string_view merges_txt) {
  absl::StatusOr<nlohmann::json> vocab = ParseJsonObject(vocab_json);
  if (!vocab.ok()) return Wrong("vocab.json", fmt::format("a vocabulary: {}", std::string(vocab.status().message())));
  BpeVocabulary vocabulary;
  RETURN_IF_ERROR(ReadVocab(*vocab, &vocabulary));
  RETURN_IF_ERROR(ReadMergeLines(merges_txt, &vocabulary));
  const nlohmann::json& end_of_text = At(*vocab, kEndOfText);
  if (!end_of_text.is_null()) vocabulary.added.push_back({end_of_text.get<uint32_t>(), kEndOfText, true});
  FindSpecialTokensByName(&vocabulary);
  return vocabulary;
}

}  // namespace ridgeline
