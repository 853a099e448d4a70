// SPDX-License-Identifier: Apache-2.0
// Codes, masks and patterns to and from bytes in LibTorch's operations, with the bytes of quant/codes/bits.h and
// patterns.h. Codes are kByte, numbers of more bits int64, in rows of their own. No state; any thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "quant/codes/packed_layout.h"

namespace ridgeline {

// Fields of `bits` bits, 1 to 8 of kByte and up to 64 of int64: (rows, n) -> kByte (rows, BytesOfBits(n bits)).
at::Tensor PackedFields(const at::Tensor& fields, int bits);
// And back, of n fields a row: kByte for up to 8 bits, else int64.
at::Tensor UnpackedFields(const at::Tensor& bytes, int64_t n, int bits);

// Codes 0, 1 and 2, five in a byte: (rows, n).
at::Tensor PackedTrits(const at::Tensor& codes);
at::Tensor UnpackedTrits(const at::Tensor& bytes, int64_t n);

// Which of each group is kept, bool (rows, groups, m), as ranks of masks, int64 (rows, groups), and back.
at::Tensor RanksOfMasks(const at::Tensor& kept, const SparsityPattern& sparsity);
at::Tensor MasksOfRanks(const at::Tensor& ranks, const SparsityPattern& sparsity);

// The first n of each group's numbers that are not 0, and of zeros as many as are missing, the first of them:
// levels (rows, groups, m) -> bool, the same shape.
at::Tensor KeptOfLevels(const at::Tensor& levels, int n);
// Of codes (rows, groups, m) those that are kept, in their order: (rows, groups, n). And back: what is not kept has the
// code of something else.
at::Tensor KeptCodes(const at::Tensor& codes, const at::Tensor& kept, int n);
at::Tensor SpreadCodes(const at::Tensor& codes, const at::Tensor& kept);

// Groups as patterns. levels: float32 (rows, groups, m), by their signs; bytes: (rows, code_row_bytes).
at::Tensor PackedPatterns(const at::Tensor& levels, const PackedLayout& layout);
at::Tensor UnpackedPatterns(const at::Tensor& bytes, const PackedLayout& layout);

}  // namespace ridgeline
