// SPDX-License-Identifier: Apache-2.0
// What a parameter of ours is called in files of others. No LibTorch.
#pragma once

#include <string>

#include "weights/weight_file.h"

namespace ridgeline {

enum class WeightNaming { kHuggingFace, kHuggingFaceGpt2, kGgufGemma3 };

struct StoredWeight {
  std::string name;                  // As written by such a file.
  const TensorView* view = nullptr;  // Null if the file has none.
  bool is_transposed = false;        // GPT-2's matrices are stored (in, out).
  bool subtract_one = false;         // GGUF stores Gemma's norm weights with the one already added.
};

// REQUIRES: parameter is a name of the naming's model.
StoredWeight NameStoredWeight(WeightNaming naming, const std::string& parameter);

}  // namespace ridgeline
