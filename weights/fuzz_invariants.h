// SPDX-License-Identifier: Apache-2.0
// What has to hold of every file that a parser accepts; for the fuzz targets of this room.
#pragma once

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>

#include "weights/decode.h"
#include "weights/weight_file.h"

namespace ridgeline {

inline void Require(bool holds) {
  if (!holds) std::abort();
}

// Refusals are of the two promised kinds.
inline void RequirePromisedError(const absl::Status& status) {
  Require(absl::IsDataLoss(status) || absl::IsUnimplemented(status));
}

// Sorted unique names, bytes inside the input that match the shape and can be decoded from end to end.
inline void RequireSoundTensors(const WeightFile& file, std::string_view input) {
  for (size_t i = 0; i < file.tensors().size(); ++i) {
    const TensorView& tensor = file.tensors()[i];
    Require(i == 0 || file.tensors()[i - 1].name < tensor.name);
    Require(file.Find(tensor.name) == &tensor);
    Require(tensor.bytes.empty() || (tensor.bytes.data() >= input.data() &&
                                     tensor.bytes.data() + tensor.bytes.size() <= input.data() + input.size()));
    Require(BytesOfShape(tensor.dtype, tensor.shape) == tensor.bytes.size());
    std::array<float, 256> slice;
    const int64_t elements = *ElementsOfShape(tensor.shape);
    for (int64_t at = 0; at < elements; at += 256)
      Require(DecodeToFloat(tensor, at, std::span(slice).first(std::min<int64_t>(256, elements - at))).ok());
  }
}

}  // namespace ridgeline
