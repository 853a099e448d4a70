// SPDX-License-Identifier: Apache-2.0
// Which formats, schemes, grids and gradients a format or an estimator is defined for: one table, from docs/methods.md.
#pragma once

#include <cstdint>

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

// Whether dL/dx is dL/dx_hat where the forward pass trusts x and 0 elsewhere (of H x with hadamard), so that the
// backward pass needs one bit an element instead of x (quant/kernels/trust.h).
bool PassesTrustedGradient(const QuantizerSpec& spec);

// Whether the gradient passes a regression, so that the backward pass needs that of each block, and its grid, beside x.
bool PassesFit(const QuantizerSpec& spec);

// Whether each row's x_hat and gradient depend on that row alone, so that a matrix may be worked on in runs of rows.
bool TreatsRowsAlone(const QuantizerSpec& spec);

// How many numbers share a grid in rows of `features`, but for what is left at their ends. Numbers that are only pruned
// share none: their blocks are whole groups, as many as fit spec.block.
int64_t BlockLength(const QuantizerSpec& spec, int64_t features);

// What the forward pass saves of a block where PassesFit(spec): its grid and its regression.
inline constexpr int kNumbersOfFit = 6;

// Bytes that the forward pass saves of one row beside x. Where PassesTrustedGradient(spec): who is trusted, a bit an
// element, each block from a byte of its own on. Where PassesFit(spec): kNumbersOfFit numbers for each block, double
// ones for x in double, else float. Else none.
int64_t SavedBytes(const QuantizerSpec& spec, int64_t features, int64_t number_bytes = 4);

}  // namespace ridgeline
