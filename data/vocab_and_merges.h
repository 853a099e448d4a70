// SPDX-License-Identifier: Apache-2.0
// GPT-2's own two files: vocab.json (token to id) and merges.txt (one pair a line, by rank).
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "data/bpe_vocabulary.h"

namespace ridgeline {

// <|endoftext|>, where the vocabulary holds it, is an added control token: bos and eos, as GPT-2 uses it. DATA_LOSS for
// bytes that are no such files, with file and place. Safe on any input.
absl::StatusOr<BpeVocabulary> ParseVocabAndMerges(std::string_view vocab_json, std::string_view merges_txt);

}  // namespace ridgeline
