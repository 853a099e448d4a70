// SPDX-License-Identifier: Apache-2.0
// Whether two tokenizers are the same: ids mean something to the one alone that made them.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "data/tokenizer.h"

namespace ridgeline {

// SHA-256, in hex, of the kind and of what decides ids: vocabulary, merges or scores, how text is cut, added tokens.
std::string TokenizerHash(const Tokenizer& tokenizer);

// Of one kind: by their hashes. Char tokenizers equal none of another kind. A model's tokenizer.model and
// tokenizer.json are of two kinds: those are the same if each id that both have stands for the same text in both.
bool AreSameTokenizer(const Tokenizer& a, const Tokenizer& b);

// INVALID_ARGUMENT, with both names and what to do, unless the dataset's tokenizer is the model's.
absl::Status CheckSameTokenizer(const Tokenizer& of_dataset, const std::string& dataset, const Tokenizer& of_model,
                                const std::string& model);

}  // namespace ridgeline
