// SPDX-License-Identifier: Apache-2.0
// Rows of a parameter in the form in which ranks send them to each other: the parts of a packed tensor one after the
// other, or numbers.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>

#include "method/quantizer_spec.h"
#include "model/parameter.h"

namespace ridgeline {

// Quantizes the rows that this rank has, and writes them as GatherBytes(quantizer, rows, columns, bytes of `dtype`)
// says; sets what its quantizer saves, and a learned scale of zeros. `dtype` is what layers compute in: kFloat or
// kBFloat16.
// Shares LibTorch's threads.
void WriteOwnRows(Parameter* parameter, at::ScalarType dtype, std::byte* bytes);

// What WriteOwnRows wrote on the rank that has these rows, into those rows of `compute`, which is whole, contiguous and
// of that dtype. REQUIRES: the bytes are those of a rank of the same program. Shares LibTorch's threads.
void ReadRows(const std::byte* bytes, const QuantizerSpec& quantizer, RowRange rows, at::Tensor& compute);

}  // namespace ridgeline
