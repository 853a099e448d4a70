// SPDX-License-Identifier: Apache-2.0
// Named tensors in memory to a safetensors file and back: checkpoints. weights/ knows the format.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ridgeline {

struct SafetensorsFile {
  std::map<std::string, at::Tensor> tensors;    // On the CPU; floats of 16 to 64 bits, integers of 8 to 64, booleans
  std::map<std::string, std::string> metadata;  // The header's "__metadata__"
};

// Flushed to the disk before it returns; replaces an older file in one step. `path` ends in .safetensors.
// INVALID_ARGUMENT names a tensor whose type the format lacks.
absl::Status WriteSafetensors(const std::string& path, const SafetensorsFile& file);

// Copies the tensors into memory. Errors as of OpenSafetensors (weights/weight_file.h).
absl::StatusOr<SafetensorsFile> ReadSafetensors(const std::string& path);

}  // namespace ridgeline
