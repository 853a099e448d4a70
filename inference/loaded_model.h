// SPDX-License-Identifier: Apache-2.0
// A model with its tokenizer, ready to compute.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "data/tokenizer.h"
#include "model/language_model.h"

namespace ridgeline {

// `name_or_path` as of ResolveModelPath. `dtype`: "float32" or "bfloat16". Weights are held once, in that dtype: the
// model cannot be trained. Errors of LoadModel and CheckFiniteFiles.
absl::StatusOr<std::unique_ptr<LanguageModel>> LoadForInference(const std::string& name_or_path,
                                                                const std::string& dtype);

// The tokenizer at `path`, or the model's own if that is empty; NOT_FOUND says how to name one.
absl::StatusOr<std::unique_ptr<Tokenizer>> LoadTokenizerOf(const std::string& name_or_path, const std::string& path);

}  // namespace ridgeline
