// SPDX-License-Identifier: Apache-2.0
// The tokenizer that a GGUF file carries in its metadata (keys tokenizer.ggml.*).
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "data/tokenizer.h"
#include "weights/gguf.h"

namespace ridgeline {

// "llama" becomes a SentencePiece BPE model (Gemma, Llama 2), "gpt2" a byte-level BPE. NOT_FOUND if the file has none;
// UNIMPLEMENTED for other kinds and for words cut otherwise than GPT-2's; DATA_LOSS names the key that is wrong.
// Keeps no reference to the file. Runs of more than 31 spaces: Gemma's longest run of spaces comes first, as in its own
// SentencePiece model, where transformers merges them by halves.
absl::StatusOr<std::unique_ptr<Tokenizer>> MakeTokenizerFromGguf(const GgufFile& file);

}  // namespace ridgeline
