// SPDX-License-Identifier: Apache-2.0
// From a QuantizerSpec to what the CUDA kernels take.
#pragma once

#include "absl/status/statusor.h"
#include "method/quantizer_spec.h"
#include "quant/cuda/block_params.h"

namespace ridgeline::cuda {

// INVALID_ARGUMENT as ValidateQuantizerSpec's; UNIMPLEMENTED, with what to use instead, for what has no CUDA kernel:
// estimators with levels or scales of their own, grids of rows and tensors, blocks above
// kLargestBlock, sparse groups that are no power of two. REQUIRES: spec is enabled().
absl::StatusOr<BlockParams> ParamsOfSpec(const QuantizerSpec& spec);

}  // namespace ridgeline::cuda
