// SPDX-License-Identifier: Apache-2.0
// Tokenizers of models as they lie on a disk.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "data/tokenizer.h"

namespace ridgeline {

// What a file holds is told by its content: a SentencePiece model, a GGUF file, a tokenizer.json, or a vocab.json with
// merges.txt beside it. Of a folder (a model's, or a dataset's) the first of these is taken: what dataset.json says,
// tokenizer.model, tokenizer.json, the only *.gguf, vocab.json with merges.txt. A tokenizer_config.json beside it names
// bos and eos. A name that `ridgeline model import` gave (weights/model_store.h) stands for its folder. NOT_FOUND if
// there is nothing; other errors name the file and, where it is none of these kinds, list them.
absl::StatusOr<std::unique_ptr<Tokenizer>> LoadTokenizerFrom(const std::string& path);

}  // namespace ridgeline
