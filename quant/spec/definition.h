// SPDX-License-Identifier: Apache-2.0
// Which formats, schemes, grids and gradients a format or an estimator is defined for: one table, from docs/methods.md.
#pragma once

#include "absl/status/status.h"
#include "quant/spec/quant_spec.h"

namespace ridgeline {

// INVALID_ARGUMENT with the reason and the remedy if spec.format does not have the spec's scheme, granularity, grid or
// block. REQUIRES: spec is enabled.
absl::Status ValidateFormatDefinition(const QuantizerSpec& spec);

// INVALID_ARGUMENT with the reason and the remedy if spec.estimator has no definition for the rest of the spec. Names
// that are not in the table pass: FindEstimator says what is wrong with them.
absl::Status ValidateEstimatorDefinition(const QuantizerSpec& spec);

// Whether dL/dx = dL/dx_hat under the spec whatever x is, so that neither x nor a backward pass is needed.
bool PassesGradient(const QuantizerSpec& spec);

// Whether dL/dx is dL/dx_hat where the forward pass trusts x and 0 elsewhere (of H x with hadamard), so that the backward
// pass needs one bit an element instead of x (quant/kernels/trust.h).
bool PassesTrustedGradient(const QuantizerSpec& spec);

}  // namespace ridgeline
