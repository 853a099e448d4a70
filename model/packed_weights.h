// SPDX-License-Identifier: Apache-2.0
// A network's weights to packed tensors in a file, and back into its masters (docs/formats.md#packed-models).
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/language_model.h"
#include "quant/codes/packed_tensor.h"
#include "quant/packed/packed_matrix.h"
#include "weights/dtype.h"

namespace ridgeline {

// Codes of weights, by the parameter's name.
using PackedWeights = std::map<std::string, PackedTensor>;

// Of each matrix that the model quantizes. Encodes on LibTorch's threads.
absl::StatusOr<PackedWeights> EncodeWeights(const LanguageModel& model);

// One safetensors file: the parts of each matrix that the model quantizes, what quantizers learned of inputs in
// float32, and all else in `dtype`; its metadata says what the quantizers are. Encodes on LibTorch's threads and holds
// all codes at once. RESOURCE_EXHAUSTED when the disk is full.
absl::Status WritePackedWeights(const LanguageModel& model, Dtype dtype, const std::string& path);

// x: (n, in), float32 or bfloat16 -> (n, out) of its dtype. Inputs that the matrix does not quantize are rounded to 16
// bits; of a float32 the rest is multiplied, too. Shares LibTorch's threads.
at::Tensor Product(const at::Tensor& x, const PackedMatrix& weight);

// master = x_hat, not rotated. master: (rows, features), float32, contiguous. Shares LibTorch's threads.
void DecodeInto(const PackedView& packed, at::Tensor& master);

}  // namespace ridgeline
