// SPDX-License-Identifier: Apache-2.0
// safetensors files: an 8-byte header length, a JSON header with name, dtype, shape and offsets, then the bytes.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ridgeline {

struct SafetensorsFile {
  std::map<std::string, at::Tensor> tensors;    // float32, float64, bfloat16, float16 and int64, on the CPU
  std::map<std::string, std::string> metadata;  // The header's "__metadata__"
};

// Flushed to the disk before it returns; replaces an older file in one step.
absl::Status WriteSafetensors(const std::string& path, const SafetensorsFile& file);

// Copies the tensors into memory. DATA_LOSS names file, tensor and what is wrong: a short file, a header that lies
// about its size, offsets that overlap, leave gaps or point outside, shapes that do not match the bytes.
absl::StatusOr<SafetensorsFile> ReadSafetensors(const std::string& path);

// The same from bytes; `name` appears in errors. Safe on any input.
absl::StatusOr<SafetensorsFile> ParseSafetensors(std::string_view bytes, const std::string& name);

}  // namespace ridgeline
