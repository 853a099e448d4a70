// SPDX-License-Identifier: Apache-2.0
// Rows of a parameter in the form in which ranks send them to each other: codes, or numbers.
#pragma once

#include <ATen/core/Tensor.h>

#include "model/parameter.h"

namespace ridgeline {

// Quantizes the rows that this rank has, and writes them to `bytes`, contiguous kByte on the parameter's device, as
// many as GatherBytes(quantizer, rows, columns, bytes of `dtype`) says; sets what its quantizer saves, and a learned
// scale of zeros. `dtype` is what layers compute in: kFloat or kBFloat16.
void WriteOwnRows(Parameter* parameter, at::ScalarType dtype, at::Tensor bytes);

// What WriteOwnRows wrote on the rank that has these rows of the parameter, into those rows of `compute`, which is
// whole, contiguous and of that dtype. REQUIRES: the bytes are those of a rank of the same program.
void ReadRows(const at::Tensor& bytes, const Parameter& parameter, RowRange rows, at::Tensor& compute);

}  // namespace ridgeline
