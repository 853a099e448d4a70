// SPDX-License-Identifier: Apache-2.0
// A tokenizer as files beside a model's weights, where other programs look for it.
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "data/tokenizer.h"

namespace ridgeline {

// Name to content. What describes a tokenizer in the folder `model_path`, as it is there; if that is none, or holds
// none, the file that `tokenizer` itself is written to. Empty for tokenizers that have no file of their own (char).
absl::StatusOr<std::map<std::string, std::string>> TokenizerFilesOf(const std::string& model_path,
                                                                    const Tokenizer& tokenizer);

}  // namespace ridgeline
