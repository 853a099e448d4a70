// SPDX-License-Identifier: Apache-2.0
// The files of a network whose weights Ridgeline can train: found, opened, and their shape read. No LibTorch, and no
// weight is decoded.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "model/blueprint/model_config.h"
#include "model/blueprint/quantizers.h"
#include "model/weight_names.h"
#include "weights/weight_file.h"

namespace ridgeline {

struct ModelFiles {
  std::string path;  // What errors about the weights name: the file, or the folder where they are in shards.
  ModelConfig config;
  WeightNaming naming = WeightNaming::kHuggingFace;
  std::unique_ptr<WeightFile> weights;
  // Of a packed model (docs/formats.md#packed-models): what its weights are, and what its inputs are to be.
  bool is_packed = false;
  Quantizers quantizers;
};

// `path`: a .gguf file, or a folder that holds exactly one, or one with config.json and safetensors (one file or
// shards). Gemma 3 from either, GPT-2 from safetensors. Every key and every tensor is used, known to be harmless, or an
// error (model/config_reader.h, model/stored_weights.h). NOT_FOUND, INVALID_ARGUMENT and DATA_LOSS say which file, key
// or tensor is wrong.
absl::StatusOr<ModelFiles> OpenModelFiles(const std::string& path);

}  // namespace ridgeline
