// SPDX-License-Identifier: Apache-2.0
// What each quantizer makes of its blocks, as levels and statistics, in LibTorch's operations and with the bits of
// quant/kernels (Estimator::Encode). No state; any thread.
#pragma once

#include <ATen/core/Tensor.h>

#include "method/quantizer_spec.h"

namespace ridgeline {

// Whether EncodedBlocksOf has the spec. It has not: BitMoD, whose kernels choose a level by a sum in the compiler's
// order; sums over a whole tensor, which would be as many operations as a lane adds numbers; and a sum where this
// machine's kernels add in another order than SumOfTerms. By the spec alone.
bool CodesAreMadeOnDevice(const QuantizerSpec& spec);

// x_hat = scale level + offset, with scale and offset as they are stored alone: (blocks, n), and (blocks, 1) each. A
// block without a grid has scale 0, or NaN where a number of it is not finite.
struct EncodedBlocks {
  at::Tensor levels;
  at::Tensor scale, offset;  // `offset` undefined in the linear scheme.
};

// x: (blocks, n) float32, with the signs of a rotation that has them. `tensor_scale`: (1), of NV formats. REQUIRES:
// CodesAreMadeOnDevice, and the spec learns no scale.
EncodedBlocks EncodedBlocksOf(const at::Tensor& x, const QuantizerSpec& spec, const at::Tensor& tensor_scale);

// With a scale for each row of x, or one: (rows, 1) or (1, 1).
EncodedBlocks EncodedByLearnedScale(const at::Tensor& x, const at::Tensor& scale, const QuantizerSpec& spec);

}  // namespace ridgeline
