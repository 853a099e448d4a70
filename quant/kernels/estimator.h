// SPDX-License-Identifier: Apache-2.0
// The interface of an estimator: what the quantized tensor is, and what gradient passes it. One file an estimator.
#pragma once

#include <cstdint>
#include <string_view>
#include <tuple>

#include "absl/status/statusor.h"
#include "quant/kernels/numbers.h"
#include "quant/spec/quant_spec.h"

namespace ridgeline {

// What an estimator does to x in X, and to x_hat, v and dx in V. REQUIRES: spec comes from ResolveDefaults.
template <typename X, typename V>
struct MatrixKernels {
  void (*forward)(const QuantizerSpec& spec, const X* x, int64_t rows, int64_t features, V* x_hat, uint8_t* saved);
  void (*backward)(const QuantizerSpec& spec, const X* x, const uint8_t* saved, const V* v, int64_t rows,
                   int64_t features, V* dx);
};

// Activations keep their type; master weights are float, and their quantized values and the gradients of those float or
// bfloat16. Block math is in double for double, else in float.
using KernelTable = std::tuple<MatrixKernels<float, float>, MatrixKernels<double, double>,
                               MatrixKernels<BFloat16, BFloat16>, MatrixKernels<float, BFloat16>>;

// Works on a row-major matrix (rows, features) whose rows are cut into blocks; blocks do not see each other, so calls
// on disjoint rows may run on different threads. Stateless and thread-safe; a call allocates some two dozen working
// blocks (and, with spec.hadamard_signs, a row of signs) per thread, once, dispatches to the best instruction set of
// the machine, and reads and writes each element once. With spec.hadamard blocks are rotated, quantized and rotated
// back, and so are gradients (spec.stays_rotated leaves x_hat rotated, and v comes so); with spec.sparsity blocks are
// pruned first. docs/methods.md says what becomes of blocks without a grid: finite numbers stay finite.
class Estimator final {
 public:
  using Kernels = const KernelTable& (*)();  // Those of the machine's instruction set.

  constexpr Estimator(std::string_view name, Kernels kernels) : name_(name), kernels_(kernels) {}
  std::string_view name() const { return name_; }

  // x_hat = dequantized x. `saved`, if given, receives SavedBytes (quant/spec/definition.h) of each row for Backward or
  // PassTrusted (quant/kernels/trust.h); it is aligned for float, or for X = double. REQUIRES: spec is valid and
  // enabled, of granularity block, and ValidateFeatures accepts `features`; (X, V) is in KernelTable.
  template <typename X, typename V>
  void Forward(const QuantizerSpec& spec, const X* x, int64_t rows, int64_t features, V* x_hat,
               uint8_t* saved = nullptr) const {
    std::get<MatrixKernels<X, V>>(kernels_()).forward(ResolveDefaults(spec), x, rows, features, x_hat, saved);
  }

  // dx = dL/dx from v = dL/dx_hat, in closed form; codes, and statistics that Forward did not save, are computed again
  // from x. dx may be v. REQUIRES: as Forward; where PassesFit(spec), `saved` is what Forward saved of this x.
  template <typename X, typename V>
  void Backward(const QuantizerSpec& spec, const X* x, const uint8_t* saved, const V* v, int64_t rows, int64_t features,
                V* dx) const {
    std::get<MatrixKernels<X, V>>(kernels_()).backward(ResolveDefaults(spec), x, saved, v, rows, features, dx);
  }

 private:
  std::string_view name_;
  Kernels kernels_;
};

// Prunes, and leaves what is kept as it is: what a spec of no format and a sparsity pattern asks for.
const Estimator& PruningEstimator();

// arXiv 2409.09245: a ridge regression of x onto its codes; the gradient sees the rounding error.
const Estimator& RidgeEstimator();

// Straight-through: the grid's own scale and offset, identity gradient.
const Estimator& SteEstimator();

// QuEST with a scale for each block: a Gaussian grid, and a gradient where the grid is to be trusted.
const Estimator& QuestEstimator();

// Ridge on a Gaussian grid, with QuEST's trust in the gradient through f.
const Estimator& RidgeTrustEstimator();

// Straight-through where the grid does not clip.
const Estimator& SteClipEstimator();

// BitNet b1, b1.58 and Reloaded: binary or ternary weights with int8 activations.
const Estimator& BitnetB1Estimator();
const Estimator& BitnetEstimator();
const Estimator& BitnetReloadedEstimator();

// The 1-bit adapter: normalised codes, mean and deviation in the graph.
const Estimator& BiAdapterEstimator();

// torchao's integers, symmetric (linear) or with a zero point (affine), bit for bit.
const Estimator& TorchaoEstimator();

// Gaussian weight sampling and DiffQ: noise of the grid's step while training, rounding with spec.hard_rounding.
const Estimator& GaussWsEstimator();
const Estimator& DiffqEstimator();

// The estimator of a spec that is enabled(). INVALID_ARGUMENT as FindEstimator's, and for those that learn a scale,
// which have functions of their own (quant/kernels/learned_scale.h).
absl::StatusOr<const Estimator*> EstimatorFor(const QuantizerSpec& spec);

// By the name that recipes use. INVALID_ARGUMENT lists the names.
absl::StatusOr<const Estimator*> FindEstimator(std::string_view name);

}  // namespace ridgeline
