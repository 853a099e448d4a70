// SPDX-License-Identifier: Apache-2.0
#include "quant/cost/stored_bits.h"

#include <bit>

namespace ridgeline {

double GridMetadataBits(const QuantizerSpec& spec) {
  if (!HasPlainScale(spec.format)) return 8;
  return (spec.scheme == Scheme::kLinear ? 16 : 32) + (IsBitMod(spec.format) ? 2 : 0);
}

int MaskBitsPerGroup(const SparsityPattern& sparsity) {
  if (!sparsity.is_sparse()) return 0;
  uint64_t choices = 1;  // Binomial: each step divides without a remainder. C(32, 16) times 32 has room.
  for (int i = 1; i <= sparsity.n; ++i)
    choices = choices * static_cast<uint64_t>(sparsity.m - sparsity.n + i) / static_cast<uint64_t>(i);
  return std::bit_width(choices - 1);
}

double TensorMetadataBits(Format format) { return ScaleEncodingOf(format) == ScaleEncoding::kE4m3 ? 32 : 0; }

}  // namespace ridgeline
