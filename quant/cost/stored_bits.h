// SPDX-License-Identifier: Apache-2.0
// Stored bits of a quantized tensor beside its codes.
#pragma once

#include "method/quantizer_spec.h"

namespace ridgeline {

// Of what one grid needs: its scale in the format's encoding, 16 bits of an offset where the scheme has one, 2 bits to
// select a BitMoD type.
double GridMetadataBits(const QuantizerSpec& spec);

// That say which n of m consecutive numbers are kept: log2 of the number of choices, rounded up for each group on its
// own (2:4 3 bits, 1:4 2, 4:8 7). 0 when dense. REQUIRES: m <= kLargestSparsityGroup.
int MaskBitsPerGroup(const SparsityPattern& sparsity);

// Of what a whole tensor needs once: the NV formats' float32 scale.
double TensorMetadataBits(Format format);

}  // namespace ridgeline
