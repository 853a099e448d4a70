// SPDX-License-Identifier: Apache-2.0
// Between stored tensors (weights/) and LibTorch's.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "absl/status/statusor.h"
#include "weights/weight_file.h"

namespace ridgeline {

// The same elements in the other library's words; nothing for block types and for types that the other lacks.
std::optional<at::ScalarType> ScalarTypeOf(Dtype dtype);
std::optional<Dtype> DtypeOf(at::ScalarType type);

// The tensor with its stored shape as float32 or bfloat16, decoded in parallel (at::parallel_for). If the file holds
// exactly that type at an address that suits it, nothing is copied: the result then points into the mapping, so the
// WeightFile must outlive it, and nobody may write to it (the pages are read-only); clone() what will be trained.
// INVALID_ARGUMENT for another `type`.
absl::StatusOr<at::Tensor> ToTensor(const TensorView& view, at::ScalarType type);

// A copy of its own as stored; INVALID_ARGUMENT for block types.
absl::StatusOr<at::Tensor> CopyTensor(const TensorView& view);

}  // namespace ridgeline
