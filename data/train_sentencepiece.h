// SPDX-License-Identifier: Apache-2.0
// Trains a small SentencePiece model for tests. Apart from them, because its header clashes with absl's.
#pragma once

#include <string>

namespace ridgeline {

// Writes PREFIX.model from the lines of a text file, with byte fallback. `normalizer` is one of SentencePiece's rules:
// identity, nmt_nfkc. Empty if it worked, else what was wrong.
std::string TrainSentencePiece(const std::string& text_path, const std::string& prefix, int vocab_size,
                               const std::string& normalizer);

}  // namespace ridgeline
