// SPDX-License-Identifier: Apache-2.0
// A model on a disk, recognised: its format, its shape as its own files state it, its tensors. For people, and for a
// look before an import; whether Ridgeline computes the architecture is what model/ says.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "weights/weight_file.h"

namespace ridgeline {

struct StoredModel {
  std::string format;                                  // "gguf" or "safetensors"
  std::string architecture;                            // "gemma3", "gpt2"; empty if nothing says it
  std::vector<std::pair<std::string, int64_t>> shape;  // "layers", "width", ...: what is stated, in a fixed order
  int64_t vocab_size = 0;                              // 0 if nothing says it
  int64_t parameters = 0;                              // Elements of all tensors; 0 where packed: codes are not counted
  std::string packed;  // "weights int1 1:4, inputs int4": what a packed model's codes are
  uint64_t bytes = 0;  // Of all tensors
  std::unique_ptr<WeightFile> weights;
};

// `path`: a .gguf or .safetensors file, an index of shards, or a folder that holds a model: exactly one .gguf, or
// safetensors with or without config.json. Errors as OpenGguf and OpenSafetensors; NOT_FOUND says what was looked for,
// DATA_LOSS names a config.json that is no JSON object.
absl::StatusOr<StoredModel> OpenStoredModel(const std::string& path);

}  // namespace ridgeline
