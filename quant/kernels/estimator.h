// SPDX-License-Identifier: Apache-2.0
// The interface of an estimator: what the quantized tensor is, and what gradient passes it. One file an estimator.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "method/estimator_traits.h"
#include "method/resolved_spec.h"
#include "quant/kernels/block_statistics.h"
#include "quant/kernels/kernel_table.h"

namespace ridgeline {

// Works on a row-major matrix (rows, features) whose rows are cut into blocks; blocks do not see each other, so calls
// on disjoint rows may run on different threads. Stateless and thread-safe; a call allocates some two dozen working
// blocks (and, with spec.hadamard_signs, a row of signs) per thread, once, dispatches to the best instruction set of
// the machine, and reads and writes each element once. With spec.hadamard blocks are rotated, quantized and rotated
// back, and so are gradients (spec.stays_rotated leaves x_hat rotated, and v comes so); with spec.sparsity blocks are
// pruned first. docs/methods.md says what becomes of blocks without a grid: finite numbers stay finite.
class Estimator final {
 public:
  using Kernels = const KernelTable& (*)();  // Those of the machine's instruction set.

  // `traits` are null for what only prunes.
  constexpr Estimator(const EstimatorTraits* traits, Kernels kernels) : traits_(traits), kernels_(kernels) {}

  // x_hat = dequantized x, by this estimator whatever spec.estimator says. `saved`, if given, receives SavedBytes
  // (method/resolved_spec.h) of each row for Backward or PassTrusted (quant/kernels/trust.h); it is aligned for float,
  // or for X = double. REQUIRES: spec is valid and enabled, of granularity block, and ValidateFeatures accepts
  // `features`; (X, V) is in KernelTable.
  template <typename X, typename V>
  void Forward(const QuantizerSpec& spec, const X* x, int64_t rows, int64_t features, V* x_hat,
               uint8_t* saved = nullptr) const {
    std::get<MatrixKernels<X, V>>(kernels_()).forward(Resolve(spec, traits_), x, rows, features, x_hat, saved);
  }

  // x_hat as codes: the level of each number, and what the levels of each block come to, in the blocks' order,
  // BlockCount(spec, features) (method/resolved_spec.h) of each row. With spec.scale_precision float16, which is what
  // is stored, scale level + offset is x_hat as Forward has it, bit for bit (noise estimators round, and values stay
  // rotated); else but for rounding, and a block without a grid is constant. REQUIRES: as Forward, of float.
  void Encode(const QuantizerSpec& spec, const float* x, int64_t rows, int64_t features, float* levels,
              BlockStatistics* statistics) const;

  // dx = dL/dx from v = dL/dx_hat, in closed form; codes, and statistics that Forward did not save, are computed again
  // from x. dx may be v. REQUIRES: as Forward; where PassesFit(spec), `saved` is what Forward saved of this x.
  template <typename X, typename V>
  void Backward(const QuantizerSpec& spec, const X* x, const uint8_t* saved, const V* v, int64_t rows, int64_t features,
                V* dx) const {
    std::get<MatrixKernels<X, V>>(kernels_()).backward(Resolve(spec, traits_), x, saved, v, rows, features, dx);
  }

 private:
  const EstimatorTraits* traits_;
  Kernels kernels_;
};

// Prunes, and leaves what is kept as it is: what a spec of no format and a sparsity pattern asks for.
const Estimator& PruningEstimator();

// The estimator of a spec that is enabled(). INVALID_ARGUMENT as FindEstimator's, and for those that learn a scale,
// which have functions of their own (quant/kernels/learned_scale.h).
absl::StatusOr<const Estimator*> EstimatorFor(const QuantizerSpec& spec);

// By the name that recipes use. INVALID_ARGUMENT lists the names.
absl::StatusOr<const Estimator*> FindEstimator(std::string_view name);

}  // namespace ridgeline
