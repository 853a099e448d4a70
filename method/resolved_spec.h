// SPDX-License-Identifier: Apache-2.0
// A QuantizerSpec as plain values: what it leaves to its estimator is filled in, and no name is left to look up. What
// kernels compute with, and what follows from a spec for those who call them.
#pragma once

#include <cstdint>

#include "method/backward_pass.h"
#include "method/quantizer_spec.h"

namespace ridgeline {

struct EstimatorTraits;  // method/estimator_traits.h

// Fields mean what they mean in QuantizerSpec.
struct ResolvedSpec {
  Format format = Format::kNone;
  Scheme scheme = Scheme::kAffine;
  GridStatistics grid = GridStatistics::kMinMax;
  GridGradient grid_gradient = GridGradient::kDetached;
  Granularity granularity = Granularity::kBlock;
  ScalePrecision scale_precision = ScalePrecision::kComputed;
  BackwardPass backward = BackwardPass::kPasses;
  int64_t block = 128;
  double lambda = 0;
  // Of estimators with a trust mask. One bit: 1.30, unless the spec says otherwise (docs/methods.md#quest; three in ten
  // of a Gaussian block are beyond). Others: 0, which stands for half a step beyond the outermost level, where the grid
  // begins to clip.
  double trust = 0;
  double tensor_max = 0;
  double mask_decay = 0;
  SparsityPattern sparsity;
  bool is_fit_detached = false;  // True for an estimator without a fit.
  bool hadamard = false;
  bool hadamard_signs = false;
  bool stays_rotated = false;
  bool hard_rounding = false;
  // The forward pass gives levels in place of x_hat, and what they come to (quant/kernels/estimator.h, Encode).
  bool encodes = false;

  // A block without a grid is stored, too: it is constant, or NaN.
  bool stores_scales() const { return scale_precision == ScalePrecision::kFloat16; }
};

// Estimators that are not in the table pass no gradient as it is. Neither allocates; the second looks no name up, and
// takes null where numbers are only pruned.
ResolvedSpec Resolve(const QuantizerSpec& spec);
ResolvedSpec Resolve(const QuantizerSpec& spec, const EstimatorTraits* traits);

// Whether the backward pass is that kind (method/backward_pass.h): needs nothing, a bit an element
// (quant/kernels/trust.h), or a regression of each block beside x.
bool PassesGradient(const QuantizerSpec& spec);
bool PassesTrustedGradient(const QuantizerSpec& spec);
bool PassesFit(const QuantizerSpec& spec);

// Whether each row's x_hat and gradient depend on that row alone, so that a matrix may be worked on in runs of rows.
bool TreatsRowsAlone(const QuantizerSpec& spec);

// How many numbers share a grid in rows of `features`, but for what is left at their ends. Numbers that are only pruned
// share none: their blocks are whole groups, as many as fit spec.block.
int64_t BlockLength(const ResolvedSpec& spec, int64_t features);
int64_t BlockLength(const QuantizerSpec& spec, int64_t features);

// How many blocks a row of `features` numbers is cut into.
int64_t BlockCount(const QuantizerSpec& spec, int64_t features);

// What the forward pass saves of a block for BackwardPass::kFit: its grid and its regression.
inline constexpr int kNumbersOfFit = 6;

// Bytes that the forward pass saves of one row beside x. For kTrusted: who is trusted, a bit an element, each block
// from a byte of its own on. For kFit: kNumbersOfFit numbers for each block, double ones for x in double, else float.
// Else none.
int64_t SavedBytes(const QuantizerSpec& spec, int64_t features, int64_t number_bytes = 4);

}  // namespace ridgeline
